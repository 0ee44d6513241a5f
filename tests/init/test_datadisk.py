"""Phase `data`, step by step, with scripted programs on a made-up machine: order, waits, and what is never done."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from init import blockdevices, datadisk
from init.boot import Finished, PhaseFailed, Run, Wait, Waiting, Woken, World
from init.cmdline import CommandLine
from init.contract.status import Reason
from tests.fakes.blockdevices import MIB, boot_disk, device, ext

DISK = b"x"


class Machine:
    """Runs the task. `answers` maps a program's name to its results; functions that would mount succeed."""

    def __init__(self, root: Path, data_disk: str = "", **answers: Finished):
        self.now = 100.0
        self.root = root
        self.loading = False
        self.log: list[str] = []
        self.world = World(str(root), log=self.log.append, now=lambda: self.now)
        self.world.keys = CommandLine(data_disk=data_disk)
        self.answers = {"mount": Finished(0), "mark": Finished(0), **answers}
        self.seen: list[str] = []
        self.formatted = "dev/vdb"
        self.waits: list[Waiting] = []
        self.on_wait: Callable[[int], Woken] = lambda _count: Woken()
        (root / "var/lib/hepto").mkdir(parents=True)

    def run(self, limit: int = 100) -> "Machine":
        """Until the task returns, raises, or has waited `limit` times."""
        task: Generator[Any, Any, None] = datadisk.task(self.world, lambda: self.loading)
        result: Any = None
        waited = 0
        while True:
            try:
                step = task.send(result)
            except StopIteration:
                return self
            result = None
            match step:
                case Run(argv=(), call=function):
                    result = self._call(function)
                case Run(argv=argv):
                    name = argv[0].rsplit("/", 1)[-1]
                    self.seen.append(f"{name} {Path(argv[-1]).name}")
                    result = self.answers[name.replace(".", "_")]
                case Wait(seconds):
                    if waited == limit:
                        return self
                    result = self.on_wait(waited)
                    waited += 1
                    self.seen.append("wait")
                    self.now += 0.0 if result.events else seconds
                case Waiting():
                    self.waits.append(step)

    def _call(self, function: Any) -> Finished:
        if "_probe" in function.__qualname__:
            self.seen.append("probe")
            return Finished(0, blockdevices.probe(str(self.root)))
        if "_grow" in function.__qualname__:
            name = {"write": "sfdisk", "tell": "resize"}[function.__name__]
            self.seen.append(name)
            return self.answers[name]
        if "_mark" in function.__qualname__:
            if self.answers["mark"].code == 0:
                function()
            marked = (self.root / self.formatted).read_bytes().count(blockdevices.UNFINISHED)
            self.seen.append("marked" if marked else "clear")
            return self.answers["mark"]
        self.seen.append(f"mount {'tmpfs' if '_memory' in function.__qualname__ else 'ext4'}")
        return self.answers["mount"]


NOTHING = Finished(2)
FINE = Finished(0)


def block_event() -> Woken:
    return Woken(({"SUBSYSTEM": "block"},))


def test_a_labelled_file_system_is_checked_and_mounted_without_any_wait(tmp_path: Path) -> None:
    device(tmp_path, "vdb", ext("hepto-data"))

    machine = Machine(tmp_path, e2fsck=FINE).run()

    assert machine.seen == ["probe", "e2fsck vdb", "mount ext4"]
    assert machine.world.state["data"] == "disk"


def test_errors_that_were_corrected_are_fine(tmp_path: Path) -> None:
    device(tmp_path, "vdb", ext("hepto-data"))

    assert Machine(tmp_path, e2fsck=Finished(1)).run().world.state["data"] == "disk"


@pytest.mark.parametrize("code", [2, 4, 8, 137])
def test_a_file_system_beyond_repair_is_not_mounted_nor_replaced_by_memory(tmp_path: Path, code: int) -> None:
    device(tmp_path, "vdb", ext("hepto-data"), serial="S1")
    device(tmp_path, "vdc")
    machine = Machine(tmp_path, e2fsck=Finished(code, b"/dev/vdb: UNEXPECTED INCONSISTENCY\n\n"))

    with pytest.raises(PhaseFailed, match=f"exit code {code}.*UNEXPECTED INCONSISTENCY") as caught:
        machine.run()

    assert (caught.value.reason, caught.value.subject) == (Reason.DATA_DISK, "S1")
    assert caught.value.hint
    assert not caught.value.again, "who would look at the disks again might find none and take memory"
    assert machine.seen == ["probe", "e2fsck vdb"]
    assert machine.world.state == {}


def test_a_file_system_that_cannot_be_mounted_fails_the_phase(tmp_path: Path) -> None:
    device(tmp_path, "vdb", ext("hepto-data"))
    machine = Machine(tmp_path, e2fsck=FINE, mount=Finished(1, b"OSError: [Errno 117] Structure needs cleaning"))

    with pytest.raises(PhaseFailed, match="cannot be mounted.*Structure needs cleaning"):
        machine.run()

    assert machine.world.state == {}


def test_a_blank_disk_is_formatted_after_a_quiet_while_and_a_second_look(tmp_path: Path) -> None:
    device(tmp_path, "vda", DISK, read_only=True)
    device(tmp_path, "vdb", size=16 * MIB)

    machine = Machine(tmp_path, blkid=NOTHING, mkfs_ext4=FINE).run()

    assert machine.seen == ["probe", "wait", "blkid vdb", "marked", "mkfs.ext4 vdb", "clear", "mount ext4"]
    assert machine.now == 100.0 + datadisk.QUIET


def test_a_signature_that_only_blkid_knows_protects_a_disk_of_zeros(tmp_path: Path) -> None:
    device(tmp_path, "vdb")

    machine = Machine(tmp_path, blkid=Finished(0, b"TYPE=zfs_member\n")).run(limit=2)

    assert "mkfs.ext4 vdb" not in machine.seen
    assert machine.waits[0].wait is not None
    assert "zfs_member" in machine.waits[0].wait.what


@pytest.mark.parametrize("content", [b"", bytes(4096) + b"a group's descriptors", ext("hepto-data")])
def test_a_disk_on_which_power_was_cut_while_it_was_formatted_is_formatted_again(
    tmp_path: Path, content: bytes
) -> None:
    blockdevices.mark_unfinished(str(device(tmp_path, "vdb", content, size=16 * MIB)), 16 * MIB, unfinished=True)

    machine = Machine(tmp_path, blkid=Finished(0, b"TYPE=ext4\n"), mkfs_ext4=FINE).run()

    assert machine.seen == ["probe", "wait", "blkid vdb", "marked", "mkfs.ext4 vdb", "clear", "mount ext4"]


def test_a_disk_that_cannot_be_marked_is_not_formatted(tmp_path: Path) -> None:
    device(tmp_path, "vdb", size=16 * MIB)
    machine = Machine(tmp_path, blkid=NOTHING, mkfs_ext4=FINE, mark=Finished(1, b"OSError: [Errno 5]"))

    with pytest.raises(PhaseFailed, match=r"cannot be written: OSError: \[Errno 5\]"):
        machine.run()

    assert not [step for step in machine.seen if "mkfs" in step]


def test_a_failing_mkfs_mounts_nothing(tmp_path: Path) -> None:
    device(tmp_path, "vdb")
    machine = Machine(tmp_path, blkid=NOTHING, mkfs_ext4=Finished(1, b"mkfs.ext4: Input/output error\n"))

    with pytest.raises(PhaseFailed, match="Input/output error"):
        machine.run()

    assert machine.seen[-1] == "mkfs.ext4 vdb"


def test_the_quiet_while_begins_anew_with_each_disk_and_a_late_label_wins(tmp_path: Path) -> None:
    device(tmp_path, "vdb")
    machine = Machine(tmp_path, e2fsck=FINE)

    def come(count: int) -> Woken:
        if count == 0:
            device(tmp_path, "vdc", ext("hepto-data"))
            return block_event()
        return Woken()

    machine.on_wait = come
    machine.run()

    assert machine.seen == ["probe", "wait", "probe", "e2fsck vdc", "mount ext4"]


def test_nothing_is_decided_while_modules_are_being_loaded(tmp_path: Path) -> None:
    device(tmp_path, "vdb")
    machine = Machine(tmp_path, blkid=NOTHING, mkfs_ext4=FINE)
    machine.loading = True

    def load(count: int) -> Woken:
        machine.loading = count < 3
        return Woken()

    machine.on_wait = load
    machine.run()

    assert machine.seen.count("wait") == 4
    assert machine.world.state["data"] == "disk"


def test_usb_disks_get_more_time(tmp_path: Path) -> None:
    (tmp_path / datadisk.USB_DISKS.lstrip("/")).mkdir(parents=True)

    machine = Machine(tmp_path).run()

    assert machine.now == 100.0 + datadisk.QUIET_USB
    assert machine.world.state["data"] == "memory"


def test_memory_is_used_where_there_is_no_disk_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (console := tmp_path / "dev/console").write_text("")

    machine = Machine(tmp_path).run()

    assert machine.seen == ["wait", "mount tmpfs"]
    assert machine.log == [datadisk.NO_DISK]
    assert console.read_text() == f"{datadisk.NO_DISK}\n"


def test_memory_that_cannot_be_had_now_is_tried_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "memory", mount=Finished(1, b"OSError: [Errno 12] Cannot allocate memory"))

    with pytest.raises(PhaseFailed, match="no tmpfs can be mounted.*allocate") as caught:
        machine.run()

    assert caught.value.again
    assert machine.world.state == {}


def test_ordered_memory_waits_for_nothing_and_looks_at_nothing(tmp_path: Path) -> None:
    device(tmp_path, "vdb", ext("hepto-data"))

    machine = Machine(tmp_path, "memory").run()

    assert machine.seen == ["mount tmpfs"]
    assert machine.now == 100.0
    assert machine.log == ["data is in memory, as ordered"]


def test_what_a_person_has_to_decide_is_published_and_waited_for(tmp_path: Path) -> None:
    device(tmp_path, "vdb")
    device(tmp_path, "vdc")

    machine = Machine(tmp_path, blkid=NOTHING).run(limit=1)

    wait = machine.waits[0].wait
    assert wait is not None
    assert (wait.reason, wait.since) == (Reason.DATA_DISK, 100.5)
    assert "2 disks are blank" in wait.what
    assert machine.world.state == {}


def test_uevents_of_other_devices_cause_no_second_look(tmp_path: Path) -> None:
    device(tmp_path, "vdb", DISK)
    machine = Machine(tmp_path, blkid=NOTHING)
    machine.on_wait = lambda count: Woken(({"SUBSYSTEM": "net"},)) if count else Woken()

    machine.run(limit=5)

    assert machine.seen.count("probe") == 1


def test_a_disk_that_comes_later_ends_the_waiting(tmp_path: Path) -> None:
    device(tmp_path, "vdb", DISK)
    machine = Machine(tmp_path, "S9", blkid=NOTHING, mkfs_ext4=FINE)

    def come(count: int) -> Woken:
        if count == 1:
            device(tmp_path, "vdc", serial="S9")
            return block_event()
        return Woken()

    machine.on_wait = come
    machine.run()

    assert machine.seen[-3:] == ["mkfs.ext4 vdc", "clear", "mount ext4"]
    assert machine.waits[0].wait is not None
    assert machine.waits[0].wait.subject == "S9"


class TestOfADiskImage:
    """The machine was started from a disk image; its last partition is for the data."""

    def test_the_partition_grows_and_is_then_formatted(self, tmp_path: Path) -> None:
        boot_disk(tmp_path, 200 * MIB, 100 * MIB)
        size = Finished(0, b" 203423744\n")
        machine = Machine(tmp_path, sfdisk=FINE, partx=size, resize=FINE, mkfs_ext4=FINE, blkid=NOTHING)
        machine.formatted = "dev/vda6"

        machine.run()

        assert machine.seen == [
            *("sfdisk", "partx vda", "resize", "probe", "wait"),
            *("blkid vda", "marked", "mkfs.ext4 vda6", "clear", "mount ext4"),
        ]
        assert machine.log[0] == "/dev/vda6 grows by 94.0 MiB to the end of its disk"

    def test_one_that_reaches_the_end_of_its_disk_is_left_as_it_is(self, tmp_path: Path) -> None:
        boot_disk(tmp_path, 115 * MIB, 100 * MIB)
        machine = Machine(tmp_path, mkfs_ext4=FINE, blkid=NOTHING)
        machine.formatted = "dev/vda6"

        assert "sfdisk" not in machine.run().seen

    def test_one_with_another_behind_it_does_not_grow(self, tmp_path: Path) -> None:
        boot_disk(tmp_path, 300 * MIB, 100 * MIB, "hepto-esp", "hepto_1", "hepto_1_verity", "hepto-data", "mine")
        machine = Machine(tmp_path, mkfs_ext4=FINE, blkid=NOTHING)
        machine.formatted = "dev/vda4"

        assert "sfdisk" not in machine.run().seen

    def test_a_kernel_that_is_not_told_is_said(self, tmp_path: Path) -> None:
        boot_disk(tmp_path, 200 * MIB, 100 * MIB)
        told = Finished(1, b"OSError: [Errno 16] Device or resource busy")
        machine = Machine(tmp_path, sfdisk=FINE, partx=Finished(0, b"1"), resize=told, mkfs_ext4=FINE, blkid=NOTHING)
        machine.formatted = "dev/vda6"

        assert "cannot grow to the end of its disk: OSError: [Errno 16]" in machine.run().log[0]

    def test_a_table_that_cannot_be_written_is_said_and_what_is_there_is_used(self, tmp_path: Path) -> None:
        boot_disk(tmp_path, 300 * MIB, 100 * MIB)
        refused = Finished(1, b"sfdisk: cannot open /dev/vda: Read-only file system\n")
        machine = Machine(tmp_path, sfdisk=refused, mkfs_ext4=FINE, blkid=NOTHING)
        machine.formatted = "dev/vda6"

        machine.run()

        assert "partx vda" not in machine.seen
        assert "cannot grow to the end of its disk: sfdisk: cannot open" in machine.log[0]
        assert machine.world.state["data"] == "disk"

    @pytest.mark.parametrize(("size", "runs"), [(16, False), (48, True)])
    def test_a_file_system_fills_what_its_device_has_more(self, tmp_path: Path, size: int, runs: bool) -> None:
        content = bytearray(ext("hepto-data"))
        content[1024 + 4 : 1024 + 8] = (16 * 1024).to_bytes(4, "little")  # blocks of 1 KiB
        device(tmp_path, "vdb", bytes(content), size=size * MIB)

        machine = Machine(tmp_path, e2fsck=FINE, resize2fs=Finished(1, b"resize2fs: no\n")).run()

        assert ("resize2fs vdb" in machine.seen) is runs
        assert machine.world.state["data"] == "disk", "one that does not grow is used as it is"

    def test_a_disk_that_is_smaller_than_its_image_is_named(self, tmp_path: Path) -> None:
        boot_disk(tmp_path, 20 * MIB, 0, "hepto-esp", "hepto_1", "hepto_1_verity", "_empty")

        machine = Machine(tmp_path, blkid=NOTHING).run(limit=2)

        assert machine.waits[0].wait is not None
        assert machine.waits[0].wait.what == "the disk is smaller than its image: the partition hepto-data does not fit"
        assert machine.world.state == {}
