"""When the logger's child is started, and what becomes of one that fails."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from init.contract import boots, crash, durable, paths
from init.contract.crash import Crash
from init.contract.status import LastExit
from init.evidence import RECORD_AFTER, RECORD_EVERY, RETRY, Evidence
from tests.fakes.loghost import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    found = Host(tmp_path)
    (found.run / "deaths").mkdir()
    yield found
    found.close()


def make(host: Host) -> Evidence:
    return Evidence(str(host.root), host.where, "/no/console")


def die(host: Host, number: int = 1) -> None:
    found = Crash("etcd", number, "boot", 1.0 + number, LastExit("exit", 1, 1.0), 1.0)
    durable.write(f"{host.run}/deaths/{crash.file_name(found)}", crash.encode(found), sync=False)


def tend(evidence: Evidence, now: float) -> list[str] | None:
    """Whose FIFOs were emptied for a child that was started, and has ended; None if none was."""
    emptied: list[list[str]] = []
    evidence.tend(now, emptied.append)
    if not emptied:
        return None
    evidence.ended(now)
    return emptied[0]


def test_without_work_there_is_no_child_and_no_hurry(host: Host) -> None:
    evidence = make(host)

    assert tend(evidence, 0.0) is None
    assert evidence.deadline() is None
    die(host)
    assert tend(evidence, 1.0) is None  # nobody has told it
    evidence.stir()
    assert tend(evidence, 2.0) == ["etcd"]


def test_one_child_at_a_time_does_what_is_there(host: Host) -> None:
    evidence = make(host)
    die(host, 1)
    evidence.tend(0.0, lambda _: None)
    die(host, 2)
    evidence.stir()
    assert tend(evidence, 0.0) is None
    assert evidence.deadline() is None
    evidence.ended(0.0)
    tend(evidence, 0.0)

    assert len(list((host.run / "crashes").iterdir())) == 2


def test_the_record_is_written_some_time_after_the_node_is_named_and_when_the_agent_has_come_further(
    host: Host,
) -> None:
    evidence = make(host)
    host.name_the_node()
    assert tend(evidence, 100.0) is None
    first = evidence.deadline()
    assert first == 100.0 + RECORD_AFTER
    assert tend(evidence, first) == []
    record = host.node / boots.BELOW_NODE
    written = record.stat().st_ino
    evidence.stir()
    assert tend(evidence, first + 1.0) is None
    assert evidence.deadline() is None
    Path(f"{host.root}{paths.COURSE}").write_text("{}")
    evidence.stir()
    assert tend(evidence, first + 2.0) is None
    assert evidence.deadline() == first + RECORD_EVERY
    assert tend(evidence, first + RECORD_EVERY) == []

    assert record.stat().st_ino != written


def test_one_that_fails_is_tried_again_after_a_while(host: Host) -> None:
    evidence = make(host)
    (host.run / "crashes").write_text("in the way")
    die(host)
    assert tend(evidence, 50.0) == ["etcd"]
    evidence.stir()
    assert tend(evidence, 51.0) is None
    assert evidence.deadline() == 50.0 + RETRY
    (host.run / "crashes").unlink()
    assert tend(evidence, 50.0 + RETRY) == ["etcd"]

    assert len(list((host.run / "crashes").iterdir())) == 1


def test_at_the_end_it_does_what_is_left_itself(host: Host) -> None:
    evidence = make(host)
    host.name_the_node()
    die(host)
    Path(f"{host.root}{paths.ENDING}").write_text("poweroff")
    evidence.finish(1.0)

    assert boots.decode((host.node / boots.BELOW_NODE).read_bytes()).ended == "poweroff"
    assert os.listdir(host.node / crash.BELOW_NODE) == ["etcd.1.boot.json"]
