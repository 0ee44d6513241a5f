"""From PID 1's word of a death to a report with the last lines, wherever it can be kept."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from init import crashlog
from init.console import Console
from init.contract import crash, durable
from init.contract.crash import Crash
from init.contract.status import LastExit
from init.crashlog import MOST, Places
from tests.fakes.logs import LogWriter

BOOT = b"b" * 16
CRASH = Crash("etcd", 2, "boot", 100.0, LastExit("exit", 1, 70.0), 12.5, retry=0.4)


class World:
    """PID 1's directory, the logs, a terminal."""

    def __init__(self, root: Path):
        self.root = root
        self.log = LogWriter(root)
        self.memory, self.disk, self.deaths = root / "crashes", root / "node/log/crashes", root / "deaths"
        self.deaths.mkdir()
        self.is_named = True
        os.mkfifo(root / "console")
        self._terminal = os.open(root / "console", os.O_RDWR | os.O_NONBLOCK)

    def write(self, text: str) -> None:
        self.log.write("etcd", text.encode(), BOOT, wall=1.0, boot=1.0)

    def die(self, found: Crash = CRASH) -> None:
        durable.write(str(self.deaths / crash.file_name(found)), crash.encode(found), sync=False)

    def work(self) -> str:
        """What the terminal shows."""
        node = str(self.disk) if self.is_named else ""
        places = Places(str(self.deaths), str(self.memory), node, self.log.where)
        crashlog.work(places, Console(str(self.root / "console")))
        try:
            return os.read(self._terminal, 1 << 20).decode()
        except BlockingIOError:
            return ""

    def reports(self, directory: Path | None = None) -> list[Crash]:
        return [found for _, found in crashlog.kept(str(directory or self.disk))]

    def close(self) -> None:
        self.log.close()
        os.close(self._terminal)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.close()


def test_a_report_has_the_last_lines_of_this_life(world: World) -> None:
    world.write("another life\nhepto: died (1): exited with status 1\nstarts\n\nno space\n")
    world.write(f"cut o{CRASH.mark}\nthe next life\n")
    world.die()
    world.work()

    assert world.reports() == [replace(CRASH, lines=("starts", "no space", "cut o"))]
    assert list(world.deaths.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ()),
        (f"{CRASH.mark}\n", ()),
        ("its log does not hold the mark\n", ("its log does not hold the mark",)),
        (f"{'x' * 600}\n{CRASH.mark}\n", ("x" * 500 + "…",)),
        ("".join(f"{n}\n" for n in range(30)) + f"{CRASH.mark}\n", tuple(str(n) for n in range(10, 30))),
        ("y" * 70_000 + f"\nshort\n{CRASH.mark}\n", ("y" * 500 + "…", "short")),
    ],
    ids=["nothing", "no line", "no mark", "long", "many", "longer than what is looked at"],
)
def test_lines_are_few_and_short(world: World, text: str, lines: tuple[str, ...]) -> None:
    if text:
        world.write(text)
    world.die()
    world.work()

    assert world.reports()[0].lines == lines


def test_as_long_as_the_node_is_not_named_reports_are_in_memory(world: World) -> None:
    world.is_named = False
    world.die()
    world.work()
    assert (len(world.reports(world.memory)), len(world.reports())) == (1, 0)
    world.is_named = True
    world.die(replace(CRASH, number=3, wall=101.0))
    world.work()

    assert [found.number for found in world.reports()] == [2, 3]
    assert world.reports(world.memory) == []


def test_a_disk_that_takes_nothing_costs_no_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = durable.write

    def write(path: str, *arguments: object, **more: object) -> None:
        if path.startswith(str(world.disk)):
            raise OSError(28, "No space left on device")
        real(path, *arguments, **more)  # type: ignore[arg-type]  # as they came

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write", write)
        world.die(replace(CRASH, console=crash.FIRST))
        said = world.work()
    assert len(world.reports(world.memory)) == 1
    assert said.startswith("etcd died")
    world.work()

    assert len(world.reports()) == 1


def test_one_that_keeps_dying_does_not_drive_out_the_others(world: World) -> None:
    world.die(replace(CRASH, service="agent", wall=1.0))
    for number in range(MOST + 10):
        world.die(replace(CRASH, number=number, wall=100.0 + number))
    world.work()
    reports = world.reports()

    assert len(reports) == MOST
    assert reports[0].service == "agent"
    assert [found.number for found in reports[1:]] == list(range(11, MOST + 10))


def test_the_console_hears_of_it_if_it_is_to(world: World) -> None:
    world.write("one\ntwo\nthree\nfour\nfive\x1b[2J\nsix\n")
    world.die(replace(CRASH, number=1, console=crash.FIRST, wall=1.0))
    world.die(replace(CRASH, number=2, console="", wall=2.0))
    world.die(replace(CRASH, number=3, console=crash.AGAIN, wall=3.0))
    world.die(replace(CRASH, number=4, console=crash.AGAIN, wall=4.0, service="quiet", retry=None))

    assert world.work().splitlines() == [
        "etcd died: exited with status 1, it was up 12 s; it is started again",
        "etcd keeps dying, 3 times now, last: exited with status 1 after 12 s; it is tried again for ever, "
        "next in 0.4 s; its last lines:",
        "  etcd: two",
        "  etcd: three",
        "  etcd: four",
        "  etcd: five [2J",
        "  etcd: six",
        "quiet keeps dying, 4 times now, last: exited with status 1 after 12 s; it stays down; it wrote nothing",
    ]


def test_what_is_no_report_is_removed_and_the_work_goes_on(world: World) -> None:
    (world.deaths / "etcd.1.x.json").write_text("{")
    (world.deaths / ".etcd.2.x.json.17.tmp").write_text("half")
    world.die()
    world.work()

    assert len(world.reports()) == 1
    assert [path.name for path in world.deaths.iterdir()] == [".etcd.2.x.json.17.tmp"]


def test_a_terminal_that_takes_nothing_ends_no_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashlog, "CONSOLE_SECONDS", 0.0)
    filled = os.open(world.root / "console", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while os.write(filled, b"x" * 4096):
            pass
    os.close(filled)
    world.die(replace(CRASH, console=crash.FIRST))
    world.work()

    assert len(world.reports()) == 1
