"""What the logger has kept, read by commands and the agent."""

from dataclasses import replace
from pathlib import Path

from hepto.edge import evidence
from init.contract import boots, crash, durable
from init.contract.boots import UNKNOWN, Record
from init.contract.crash import Crash
from init.contract.status import LastExit

CRASH = Crash("etcd", 1, "boot", 100.0, LastExit("exit", 1, 70.0), 12.5)


def keep(directory: Path, *found: Crash) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for one in found:
        durable.write(str(directory / crash.file_name(one)), crash.encode(one))


def test_reports_are_read_from_memory_and_disk_in_the_order_of_time(tmp_path: Path) -> None:
    kubelet, later = replace(CRASH, service="kubelet", wall=50.0), replace(CRASH, number=2, wall=150.0)
    keep(tmp_path / "crashes", CRASH, later)
    keep(tmp_path / "node" / crash.BELOW_NODE, kubelet, CRASH)
    (tmp_path / "crashes/etcd.9.boot.json").write_text("{")
    where = {"node": str(tmp_path / "node"), "volatile": str(tmp_path / "crashes")}

    assert evidence.crashes(**where) == [kubelet, CRASH, later]
    assert evidence.crashes("kubelet", **where) == [kubelet]
    assert evidence.crashes("none", **where) == []
    assert evidence.crashes(node="/no/such", volatile="/no/such") == []


def test_the_boot_before_is_told_with_its_end_in_words(tmp_path: Path) -> None:
    path = tmp_path / "boot-before.json"
    assert evidence.boot_before(str(path)) is None
    durable.write(str(path), boots.encode(Record("id", 1.0, 2.0)))

    found = evidence.boot_before(str(path))

    assert found is not None
    assert (found["boot_id"], found["orderly"], found["end"]) == ("id", False, UNKNOWN)
    path.write_text("{")
    assert evidence.boot_before(str(path)) is None


def test_the_whole_record_is_on_the_disk(tmp_path: Path) -> None:
    assert evidence.record_before(str(tmp_path)) is None
    record = Record("id", 1.0, 2.0, said={"phases": [1]})
    (tmp_path / "log").mkdir()
    durable.write(str(tmp_path / boots.BEFORE_BELOW_NODE), boots.encode(record))

    assert evidence.record_before(str(tmp_path)) == record
