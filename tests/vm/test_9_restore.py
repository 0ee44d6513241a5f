"""A machine becomes the master of a backup that was made elsewhere: what it waits for, and etcd with the old keys.

The backup is made here, with the etcd that nodes run; test_9_backup.py has the story of a whole cluster.
"""

import asyncio
import base64
import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hepto import recipients
from hepto.backup.etcd import GAP
from hepto.node import backups
from hepto.pki.driver import Pki
from hepto.wireguard import public_key
from init.contract import paths
from tests.backup.world import data_directory, etcd
from tests.pki.example import MASTER
from tests.vm import harness
from tests.vm.harness import Node, eventually

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.timeout(900, func_only=True)]

KEY = bytes(range(32))
FILE = f"{paths.DATA}/demo.age"
NAME = base64.b64encode(b"/registry/kept").decode()
LIMIT = 600.0
ASK = """
import json, ssl, sys, urllib.request
pki = "/var/lib/hepto/mycluster/mymaster/pki"
tls = ssl.create_default_context(cafile=f"{pki}/etcd-ca.crt")
tls.load_cert_chain(f"{pki}/apiserver-etcd-client.pem")
request = urllib.request.Request("https://[::1]:2379/v3/kv/range", json.dumps({"key": sys.argv[1]}).encode())
print(urllib.request.urlopen(request, context=tls, timeout=60).read().decode())
"""


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str, int]:
    """A backup, the fingerprint of its CA, and etcd's revision."""
    directory = tmp_path_factory.mktemp("old") / "mycluster/mymaster"
    now = datetime.now(UTC)
    data_directory(directory, now)
    to = recipients.recipient(public_key(KEY))
    with etcd(directory) as running:
        running.ask("/v3/kv/put", key=NAME, value=base64.b64encode(b"before").decode())
        value = base64.b64encode(b"kept").decode()
        revision = int(running.ask("/v3/kv/put", key=NAME, value=value)["header"]["revision"])
        running.ask("/v3/kv/compaction", revision=revision)
        source = backups.Source("mycluster", "mymaster", str(directory), (to,), "", running.url)
        made = asyncio.run(backups.take(source, now))
    return Path(made.path).read_bytes(), Pki(str(directory), MASTER).fingerprint, revision


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A blank machine that is told to restore what is not there yet."""
    lab, key = harness.planned("restore", cluster="mycluster", options=(f"hepto.restore={FILE}",))
    (one,) = lab.nodes
    machine = dataclasses.replace(
        one,
        options=tuple(word for word in one.options if not word.startswith("hepto.name=")),
        credentials=(*one.credentials, ("hepto.restore-key", recipients.secret_text(KEY))),
    )
    with harness.running(dataclasses.replace(lab, nodes=(machine,)), key) as nodes:
        nodes["one"].connection.wait_for("one", lambda seen: seen["channel"], LIMIT)
        yield nodes["one"]


def put(node: Node, data: bytes) -> None:
    """The file, whole at once."""
    assert node.run("/bin/sh", "-c", f"cat > {FILE}.new && mv {FILE}.new {FILE}", stdin=data).status == 0


def line(node: Node) -> str:
    return str(node.status()["line"])


def test_it_waits_for_the_file_and_says_so(node: Node) -> None:
    eventually(lambda: f"there is no {FILE}" in line(node), "it waits", LIMIT, lambda: line(node))

    assert line(node).startswith("waiting for configuration hepto.restore, ")


def test_a_file_that_is_cut_off_is_refused_and_nothing_is_made(node: Node, backup: tuple[bytes, str, int]) -> None:
    put(node, backup[0][:-1000])

    eventually(lambda: "cut off" in line(node), "the line says why", LIMIT, lambda: line(node))
    assert {"mycluster", ".restore"}.isdisjoint(node.sh(f"ls -A {paths.DATA}").split())


def test_it_becomes_the_master_and_etcd_has_the_keys(node: Node, backup: tuple[bytes, str, int]) -> None:
    data, fingerprint, revision = backup
    put(node, data)

    def etcd_is_ready() -> bool:
        return bool(node.status()["services"]["etcd"]["state"] == "ready")

    eventually(etcd_is_ready, "etcd is ready", LIMIT, lambda: node.status()["waits"])
    found = node.status()
    assert (found["node"], found["authority"]) == ("mymaster", fingerprint)
    answer = json.loads(node.python(ASK, NAME))
    assert base64.b64decode(answer["kvs"][0]["value"]) == b"kept"
    assert int(answer["header"]["revision"]) >= revision + GAP
