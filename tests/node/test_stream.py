from typing import Any

from hepto.node.stream import Stream
from init.contract.status import BootStatus, PhaseState, State, encode
from tests.node.facts import DONE

COMPLETE: dict[str, Any] = {"kind": "complete"}
LOST: dict[str, Any] = {"kind": "lost"}


def phase(name: str, state: str) -> dict[str, Any]:
    return {
        "kind": "phase",
        "name": name,
        "status": {"name": name, "state": state, "since": 1.0, "seconds": 0.5, "error": "", "waits_for": None},
    }


def service(name: str, state: str | None) -> dict[str, Any]:
    return {"kind": "service", "name": name, "status": None if state is None else {"state": state, "since": 1.0}}


def boot_file() -> bytes:
    return encode(BootStatus(DONE.phases, boot_id="b", data="memory"))


def test_nothing_is_known_before_the_picture_is_complete() -> None:
    stream = Stream(boot_file)

    assert not stream.take(phase("data", "done"))
    assert not stream.take(service("etcd", "ready"))
    assert stream.take(COMPLETE)
    assert stream.services()["etcd"].state is State.READY


def test_changes_follow_and_a_service_that_is_gone_is_gone() -> None:
    stream = Stream(boot_file)
    stream.take(service("etcd", "ready"))
    stream.take(COMPLETE)

    assert stream.take(service("etcd", "backoff"))
    assert stream.services()["etcd"].state is State.BACKOFF
    assert stream.take(service("etcd", None))
    assert stream.services() == {}


def test_a_lost_line_makes_everything_unknown() -> None:
    stream = Stream(boot_file)
    stream.take(service("etcd", "ready"))
    stream.take(COMPLETE)

    assert not stream.take(LOST)
    assert stream.services() == {}


def test_phases_come_from_the_stream_and_the_rest_from_the_file() -> None:
    stream = Stream(boot_file)
    stream.take(phase("data", "running"))
    stream.take(COMPLETE)

    boot = stream.boot()
    assert [(item.name, item.state) for item in boot.phases] == [("data", PhaseState.RUNNING)]
    assert (boot.data, boot.boot_id) == ("memory", "b")


def test_what_a_later_version_says_is_passed_over() -> None:
    stream = Stream(lambda: b"nonsense")
    stream.take(service("etcd", "hibernating"))
    stream.take({"kind": "weather", "name": "x", "status": {}})
    stream.take({})

    assert stream.take(COMPLETE)
    assert stream.services() == {}
    assert stream.boot() == BootStatus(())
