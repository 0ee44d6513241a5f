"""A master that is lost with its disk comes back on another machine: the same CA, the same objects, the same nodes.

`one` is the master and `two` a worker, which keeps a copy of its backup: that is what is restored. `spare` is the
machine that becomes `one` again. One story, in order.
"""

import dataclasses
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hepto import recipients
from hepto.lab import spec
from init.contract import paths
from tests.documentation import Where, commands, where
from tests.vm import harness, outside
from tests.vm.harness import Node, eventually

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.timeout(1800, func_only=True)]

KEY = bytes(range(32))
FILE = f"{paths.DATA}/demo.age"
LIMIT = 900.0
OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"word": "before"}}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "kept"}, "stringData": {"word": "secret"}}


@dataclass
class Story:
    """The machines, an operator, and what the first master was."""

    nodes: dict[str, Node]
    operator: Path
    backup: Path
    name: str = ""
    """That of the backup on the master."""
    authority: str = ""
    uid: str = ""


def words(node: spec.Node, *changed: str) -> tuple[str, ...]:
    """Its options, but for those that begin as one of `changed` does, and these."""
    heads = {word.partition("=")[0] for word in changed}
    kept = (word for word in node.options if word.partition("=")[0] not in heads | {"hepto.name", "hepto.anchor"})
    return (*kept, *changed)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Two nodes that are up, a machine that is off, and no backup yet."""
    operator = outside.make_key(tmp_path_factory.mktemp("operator"))
    admin = operator.with_suffix(".pub").read_text().strip()
    from hepto.wireguard import public_key

    to = f"hepto.backup-to={recipients.recipient(public_key(KEY))}"
    lab, key = harness.planned("backup", nodes=3, admin=admin, options=(to,))
    one, two, three = lab.nodes
    spare = dataclasses.replace(
        three,
        options=words(three, "hepto.role=full", f"hepto.restore={FILE}"),
        credentials=(*three.credentials, ("hepto.restore-key", recipients.secret_text(KEY))),
        on=False,
    )
    with harness.several(dataclasses.replace(lab, nodes=(one, two, spare)), key) as nodes:
        yield Story(nodes, operator, operator.parent / "demo.age")


def kubectl(node: Node, *arguments: str) -> Any:
    """As JSON, on whatever machine is the master now."""
    kubeconfig = f"{paths.DATA}/{node.cluster}/one/kubeconfig"
    done = node.run("/usr/bin/kubectl", "--kubeconfig", kubeconfig, *arguments, "-o", "json")
    assert done.status == 0, done.stderr.decode(errors="replace")
    return json.loads(done.stdout)


def test_an_operator_fetches_a_backup(story: Story) -> None:
    one = story.nodes["one"]
    one.apply(OBJECT, SECRET)
    story.authority = one.status()["authority"]
    story.uid = kubectl(one, "get", "configmap", "kept")["metadata"]["uid"]

    said = outside.run(
        one, story.operator, "backup", "-o", str(story.backup), "--json", "--anchor", one.view()["address"]
    )

    assert json.loads(said)["size"] == story.backup.stat().st_size
    assert story.backup.read_bytes().startswith(b"age-encryption.org/v1\n")
    made = one.status()["backup"]
    assert made["encrypted"] is True
    story.name = made["path"].rpartition("/")[2]
    one.apply({**OBJECT, "data": {"word": "after"}})


def test_a_worker_keeps_a_copy_and_the_master_knows(story: Story) -> None:
    one, two = story.nodes["one"], story.nodes["two"]

    eventually(
        lambda: story.name in two.status()["copies"]["here"], "two has it", LIMIT, lambda: two.status()["refused"]
    )
    eventually(lambda: story.name in one.status()["copies"]["nodes"].get("two", ()), "one knows", LIMIT)
    assert two.sh(f"stat -c %a {two.directory}/copies/{story.name}") == "600"


@pytest.mark.parametrize("command", [command for command in commands() if where(command) is Where.BACKUP])
def test_what_the_documentation_says_works(story: Story, command: str, tmp_path: Path) -> None:
    _, *said = shlex.split(command)
    said[said.index("--anchor") + 1] = story.nodes["two"].view()["address"]
    del said[said.index("--key") : said.index("--key") + 2]
    file = tmp_path / "demo.age"
    if "-o" in said:
        said[said.index("-o") + 1] = str(file)

    found = outside.run(story.nodes["one"], story.operator, *said)

    if "-o" in said:
        assert found.strip() == str(file)
        assert file.read_bytes().startswith(b"age-encryption.org/v1\n")
    else:
        assert {line.split()[0] for line in found.splitlines()[1:]} == {"one", "two"}


def test_another_machine_waits_for_the_backup(story: Story) -> None:
    one, spare = story.nodes["one"], story.nodes["three"]
    one.connection.power("one", "off")
    spare.connection.power("three", "on")
    spare.connection.wait_for("three", lambda seen: seen["channel"], LIMIT)

    def line() -> str:
        return str(spare.status()["line"])

    eventually(lambda: "hepto.restore" in line(), "it waits", LIMIT, line)

    assert f"there is no {FILE}" in line()


def test_the_worker_gives_its_copy_back_while_the_master_is_gone(story: Story) -> None:
    two, first = story.nodes["two"], story.backup.read_bytes()
    words = ("backup", "--from", "two", "--name", story.name, "--json", "--anchor", two.view()["address"])

    said = outside.run(two, story.operator, *words, "-o", str(story.backup))

    assert json.loads(said)["size"] == story.backup.stat().st_size
    assert story.backup.read_bytes() == first


def test_a_file_that_is_cut_off_is_refused_by_name(story: Story) -> None:
    spare = story.nodes["three"]
    assert spare.run("/bin/sh", "-c", f"cat > {FILE}", stdin=story.backup.read_bytes()[:-1000]).status == 0

    eventually(lambda: "cut off" in spare.status()["line"], "the line says why", LIMIT)
    assert spare.sh(f"ls {paths.DATA}/{spare.cluster} 2>/dev/null || true") == ""


def test_it_becomes_the_master_that_was_lost(story: Story) -> None:
    spare = story.nodes["three"]
    script = f"cat > {FILE}.new && mv {FILE}.new {FILE}"
    assert spare.run("/bin/sh", "-c", script, stdin=story.backup.read_bytes()).status == 0

    eventually(lambda: spare.status()["node"] == "one" and spare.status()["ready"], "it is ready", LIMIT, spare.status)

    assert spare.status()["authority"] == story.authority
    found = kubectl(spare, "get", "configmap", "kept")
    assert (found["metadata"]["uid"], found["data"]) == (story.uid, {"word": "before"})
    assert kubectl(spare, "get", "secret", "kept")["data"]["word"] == "c2VjcmV0"


def test_the_worker_rejoins_by_itself(story: Story) -> None:
    two, spare = story.nodes["two"], story.nodes["three"]

    def both_ready() -> bool:
        items = kubectl(spare, "get", "nodes")["items"]
        ready = {
            item["metadata"]["name"]
            for item in items
            if any(one["type"] == "Ready" and one["status"] == "True" for one in item["status"]["conditions"])
        }
        return ready == {"one", "two"} and bool(two.status()["ready"])

    eventually(both_ready, "two Ready nodes", LIMIT, lambda: (two.status()["line"], spare.status()["line"]))
    assert two.status()["authority"] == story.authority


def test_its_next_boot_restores_nothing(story: Story) -> None:
    spare = story.nodes["three"]
    boots = spare.view()["boots"]
    spare.run("/bin/rm", FILE)
    spare.connection.power("three", "reset")
    spare.connection.wait_for("three", lambda seen: seen["channel"] and seen["boots"] == boots + 1, LIMIT)

    eventually(lambda: spare.status()["node"] == "one" and spare.status()["ready"], "it is ready", LIMIT, spare.status)
    assert kubectl(spare, "get", "configmap", "kept")["metadata"]["uid"] == story.uid
