"""What PID 1 says of a death, and how often the console is to hear of it."""

import itertools
import os
from pathlib import Path

import pytest

from init.contract import bootid, crash
from init.contract.status import LastExit
from init.deaths import MOST_WAITING, QUIET, WINDOW, Deaths, Voice


def spoken(*times: float) -> list[str]:
    voice = Voice()
    return [voice.says(at) for at in times]


def test_a_death_now_and_then_is_a_line_each() -> None:
    assert spoken(0.0, WINDOW, 3 * WINDOW) == ["first", "first", "first"]


def test_one_that_keeps_dying_is_named_and_then_rarely() -> None:
    """At the back-off's cap of 30 s, for three hours."""
    assert spoken(0.0, 0.0, 0.1) == ["first", "", "again"]
    times = [number * 30.0 for number in range(360)]
    said = [(at, what) for at, what in zip(times, spoken(*times), strict=True) if what]

    assert said[:2] == [(0.0, "first"), (60.0, "again")]
    assert [what for _, what in said[1:]] == ["again"] * 18
    assert all(later - at >= QUIET for (at, _), (later, _) in itertools.pairwise(said[1:]))


def test_one_that_dies_every_few_minutes_does_not_flood_the_console() -> None:
    times = [number * 250.0 for number in range(1000)]

    assert sum(map(bool, spoken(*times))) <= times[-1] / QUIET + 2


class Place:
    """A directory, and what was written into logs."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.said: list[tuple[str, str]] = []
        self.deaths = Deaths(str(directory), lambda line, name: self.said.append((name, line)), {"etcd": 4096}.get)

    def die(self, service: str, number: int = 1) -> None:
        self.deaths.record(service, number, LastExit("exit", 1, 60.0), "", 12.0, 0.1)

    def files(self) -> list[crash.Crash]:
        return [crash.decode(path.read_bytes()) for path in sorted(self.directory.iterdir())]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_death_is_a_line_in_the_log_at_once_and_a_file_later(place: Place) -> None:
    place.die("etcd")
    place.die("kubelet", 2)
    assert place.said == [
        ("etcd", "hepto: died (1): exited with status 1"),
        ("kubelet", "hepto: died (2): exited with status 1"),
    ]
    assert place.files() == []
    place.deaths.publish()
    etcd, kubelet = place.files()

    assert (etcd.memory_peak, kubelet.memory_peak) == (4096, None)
    assert (etcd.up, etcd.retry, etcd.console, etcd.boot_id) == (12.0, 0.1, "first", bootid.boot_id())
    assert place.deaths.dropped == 0
    place.deaths.publish()
    assert len(place.files()) == 2


def test_without_a_logger_the_newest_are_kept_and_the_others_counted(place: Place) -> None:
    for number in range(1, MOST_WAITING + 6):
        place.die("etcd", number)
        place.deaths.publish()
        os.utime(place.directory / f"etcd.{number}.{bootid.boot_id()}.json", ns=(number, number))

    assert sorted(found.number for found in place.files()) == list(range(6, MOST_WAITING + 6))
    assert place.deaths.dropped == 5


def test_what_cannot_be_written_is_counted_and_nothing_else(place: Place, tmp_path: Path) -> None:
    place.deaths = Deaths(str(tmp_path / "gone"), lambda *_: None, lambda _: None)
    for number in range(MOST_WAITING + 2):
        place.die("etcd", number)
    place.deaths.publish()

    assert place.deaths.dropped == MOST_WAITING + 2
