"""The etcd that a node runs gives the snapshot, and begins with what was made of it: the same keys, and new ones."""

import asyncio
import base64
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hepto import recipients
from hepto.backup import driver
from hepto.backup.archive import Manifest
from hepto.backup.etcd import GAP
from hepto.node import backups
from hepto.pki.driver import Pki
from hepto.values import Secret
from hepto.wireguard import public_key
from tests.backup.world import Etcd, data_directory, etcd
from tests.pki.example import MASTER

pytestmark = pytest.mark.image

KEY = bytes(range(32))
NOW = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)


def text(data: str) -> str:
    return base64.b64encode(data.encode()).decode()


def put(found: Etcd, key: str, value: str) -> int:
    return int(found.ask("/v3/kv/put", key=text(key), value=text(value))["header"]["revision"])


def get(found: Etcd, key: str) -> str | None:
    kvs = found.ask("/v3/kv/range", key=text(key)).get("kvs", [])
    return base64.b64decode(kvs[0]["value"]).decode() if kvs else None


def test_the_same_keys_are_there_on_another_disk(tmp_path: Path) -> None:
    first, second = tmp_path / "mycluster/mymaster", tmp_path / "other/mycluster/mymaster"
    data_directory(first, datetime.now(UTC))  # TLS looks at the real clock
    source = backups.Source("mycluster", "mymaster", str(first), (recipients.recipient(public_key(KEY)),), "1.2.3")
    with etcd(first) as running:
        for number in range(49):
            put(running, f"/registry/{number % 7}", f"value {number}" + 10_000 * "x")
        running.ask("/v3/kv/compaction", revision=20)  # the apiserver does it every five minutes
        revision = put(running, "/registry/last", "one")
        made = asyncio.run(backups.take(replace(source, etcd=running.url), NOW))
        put(running, "/registry/1", "later")

    with Path(made.path).open("rb") as file:
        manifest = restore(file, second)

    Pki(str(second), MASTER).establish(datetime.now(UTC), plausible=True)  # its leaves are issued anew

    assert manifest.revision == revision
    assert made.path.endswith("/backups/mycluster-mymaster-20261130T160000Z.age")
    with etcd(second) as restored:
        assert put(restored, "/registry/new", "one") == revision + GAP + 1
        assert get(restored, "/registry/1") == "value 43" + 10_000 * "x"
        assert get(restored, "/registry/6") == "value 48" + 10_000 * "x"
        # Who knows a revision of before is told to begin anew, and does not wait for it to come again.
        watch = {"create_request": {"key": text("/registry/1"), "start_revision": revision + 1}}
        assert int(first_line(restored, "/v3/watch", watch)["result"]["compact_revision"]) == revision + GAP
    with etcd(second) as restored:
        assert get(restored, "/registry/new") == "one"


def first_line(found: Etcd, path: str, body: Any) -> Any:
    """Of an answer that has no end, the second one: the first says that it begins."""
    with found.open(path, body) as answer:
        lines = [json.loads(answer.readline()) for _ in range(1)]
        while "compact_revision" not in lines[-1]["result"]:
            lines.append(json.loads(answer.readline()))
    return lines[-1]


def restore(file: io.BufferedReader, place: Path) -> Manifest:
    place.parent.mkdir(parents=True)
    work = str(place.parent.parent / ".restore")
    return driver.restore(file, (Secret(KEY),), work, lambda _: str(place), lambda *_: None)
