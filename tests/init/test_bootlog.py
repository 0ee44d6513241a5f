"""The record of a boot, as the next boot finds it."""

import json
from pathlib import Path

import pytest

from init import bootlog, logring
from init.contract import bootid, boots, paths
from init.contract.boots import Record
from init.logring import Ring, Size
from tests.fakes.pipe import Pipe

FIRST, SECOND = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"


class World:
    """A node's files; the kernel's identifier of the boot is what a test says."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch):
        self.root, self.node = root, root / "data"
        (root / paths.STATUS.strip("/")).mkdir(parents=True)
        (self.node / logring.BELOW_NODE).mkdir(parents=True)
        self._patch = monkeypatch
        self.boot(FIRST)

    def boot(self, boot_id: str) -> None:
        """/run begins empty."""
        self._patch.setattr(bootid, "boot_id", lambda: boot_id)
        for path in (paths.BOOT, paths.BOOT_BEFORE, paths.COURSE, paths.ENDING):
            Path(f"{self.root}{path}").unlink(missing_ok=True)

    def say(self, path: str, value: object) -> None:
        Path(f"{self.root}{path}").write_text(value if isinstance(value, str) else json.dumps(value))

    def keep(self, *, ending: bool = False) -> None:
        bootlog.keep(str(self.root), str(self.node), ending=ending)

    def log(self, boot_id: str, wall: float) -> None:
        pipe = Pipe()
        ring = Ring(f"{self.node}/{logring.BELOW_NODE}/etcd", bytes.fromhex(boot_id.replace("-", "")), Size(1000, 3))
        pipe.put(b"line\n")
        ring.take(pipe.read, round(wall * 1e9), 10**9)
        ring.close()
        pipe.close()

    def watchdog(self, bits: int) -> None:
        directory = self.root / "sys/class/watchdog/watchdog0"
        directory.mkdir(parents=True)
        (directory / "bootstatus").write_text(f"{bits}\n")

    @property
    def this(self) -> Record:
        return boots.decode((self.node / boots.BELOW_NODE).read_bytes())

    @property
    def before(self) -> Record:
        return boots.decode((self.node / boots.BEFORE_BELOW_NODE).read_bytes())

    @property
    def told(self) -> Record:
        """What status is told, without a disk."""
        return boots.decode(Path(f"{self.root}{paths.BOOT_BEFORE}").read_bytes())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_a_record_has_what_pid_1_and_the_agent_have_said(world: World) -> None:
    world.say(paths.BOOT, {"phases": [{"name": "data"}], "boot_id": FIRST})
    world.say(paths.status_file("etcd"), {"state": "ready"})
    world.say(paths.COURSE, {"steps": {"ready": 30.0}})
    world.keep()

    assert (world.this.boot_id, world.this.ended) == (FIRST, "")
    assert world.this.said == {
        "phases": [{"name": "data"}],
        "services": {"etcd": {"state": "ready"}},
        "course": {"steps": {"ready": 30.0}},
    }
    assert not (world.node / boots.BEFORE_BELOW_NODE).exists()


@pytest.mark.parametrize(
    ("action", "ending", "ended"), [("reboot", True, "reboot"), ("reboot", False, ""), ("", True, "")]
)
def test_only_a_logger_that_ends_in_a_shutdown_writes_its_end(
    world: World, action: str, ending: bool, ended: str
) -> None:
    """One that is restarted, or killed, does not."""
    if action:
        world.say(paths.ENDING, action)
    world.keep(ending=ending)

    assert world.this.ended == ended


def test_the_next_boot_finds_what_ended_how_and_when_it_was_last_heard_of(world: World) -> None:
    world.say(paths.COURSE, {"steps": {"ready": 30.0}})
    world.keep()
    world.log(FIRST, 500.0)
    world.log(FIRST, 600.0)
    world.boot(SECOND)
    world.log(SECOND, 9000.0)
    world.keep()
    world.keep()  # a record is written often, but turned over once

    assert (world.before.boot_id, world.before.end, world.before.last) == (FIRST, boots.UNKNOWN, 600.0)
    assert world.before.said["course"] == {"steps": {"ready": 30.0}}
    assert (world.this.boot_id, world.told.end) == (SECOND, boots.UNKNOWN)
    assert world.told.said == {}


def test_a_logger_that_comes_later_tells_the_same_of_the_boot_before(world: World) -> None:
    world.keep()
    world.boot(SECOND)
    world.keep()
    Path(f"{world.root}{paths.BOOT_BEFORE}").unlink()
    world.keep()

    assert world.told.boot_id == FIRST


@pytest.mark.parametrize(("bits", "expected"), [(0x20, True), (0x8020, True), (0x01, False), (0, False)])
def test_the_watchdog_s_word_is_taken_as_it_is(world: World, bits: int, expected: bool) -> None:
    world.keep()
    world.boot(SECOND)
    world.watchdog(bits)
    world.keep()

    assert world.before.watchdog is expected


def test_a_damaged_record_is_as_none(world: World) -> None:
    world.keep()
    (world.node / boots.BELOW_NODE).write_text('{"boot_id": ')
    world.boot(SECOND)
    world.keep()

    assert world.this.boot_id == SECOND
    assert not (world.node / boots.BEFORE_BELOW_NODE).exists()
