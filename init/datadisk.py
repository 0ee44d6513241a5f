"""The task of phase `data`: find the data disk, check or make its file system, mount it at /var/lib/hepto (boot.md
section 5).

Whatever can block runs in a one-shot child. A file system that cannot be checked or mounted fails the phase for good: a
master on a tmpfs would make a second cluster. What only a person can decide is shown and waited for, since a disk may
yet come. Only memory that cannot be had is tried for again.
"""

import os
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from init import blockdevices, linux, rootdisk
from init.boot import Finished, PhaseFailed, Run, Step, Task, Wait, Waiting, World
from init.console import DEVICE, Console
from init.contract import paths
from init.contract.sizes import human
from init.contract.status import Reason
from init.contract.status import Wait as StatusWait
from init.disks import MEMORY, OPTION, Disk, Format, Memory, Mount, Refuse, decide

E2FSCK, MKFS, BLKID = "/usr/sbin/e2fsck", "/usr/sbin/mkfs.ext4", "/usr/sbin/blkid"
SFDISK, PARTX, RESIZE = "/usr/sbin/sfdisk", "/usr/bin/partx", "/usr/sbin/resize2fs"
WORTHWHILE = 16 * 1024 * 1024
"""Bytes; less is left where it is, as what alignment and the second partition table take."""
FSCK_FINE = (0, 1)  # e2fsck(8): no errors; errors corrected
FSCK_TIME, MKFS_TIME, MOUNT_TIME, PROBE_TIME = 3600.0, 600.0, 600.0, 120.0

QUIET = 0.5
"""Seconds without a new block device after which no more come. The kernel finishes a module's loading only when the
disks that it looks for in the background have been found (async_synchronize_full in do_init_module), so this is for
stragglers.
"""
QUIET_USB = 5.0
"""The same where there is a USB disk: usb-storage looks for it a second after its module has been loaded, and it may
spin up."""
USB_DISKS = "/sys/bus/usb/drivers/usb-storage"
ASK_AGAIN = 3600.0
"""Seconds between two looks at the disks while a person is waited for; a uevent makes it at once."""

FLAGS, DATA = linux.MS_NOATIME, "errors=remount-ro"
"""Nothing reads access times; and nothing is written any more to a file system that is known to be damaged."""

NO_DISK = (
    "WARNING: data is in memory, for there is no disk: all of it is lost at power-off. Attach a blank disk and reboot."
)

Value = TypeVar("Value")
Steps = Generator[Step, Any, Value]


def task(world: World, loading: Callable[[], bool]) -> Task:
    """Phase `data`. Sets state["data"] to `disk` or `memory`. `loading` tells whether modules are still being
    loaded."""
    if os.path.ismount(world.path(paths.DATA)):  # done by an earlier generation of PID 1
        return
    yield from _grow(world)
    while True:
        disks = () if world.keys.data_disk == MEMORY else (yield from _disks(world, loading))
        match decide(disks, world.keys.data_disk):
            case Mount(disk):
                yield from _check(world, disk)
                yield from _mount(world, disk)
                yield from _fill(world, disk)
                return
            case Format(disk):
                world.log(f"making a file system on {disk.describe()}")
                yield from _format(world, disk)
                yield from _mount(world, disk)
                return
            case Memory(ordered=False) | Refuse() if _is_cut(world):
                what = f"the disk is smaller than its image: the partition {paths.DATA_LABEL} does not fit"
                hint = f"Give the machine a larger disk, or set {OPTION}={MEMORY}."
                yield Waiting(StatusWait(Reason.DATA_DISK, "", world.now(), what, hint))
                yield from _change()
            case Memory(ordered):
                yield from _memory(world, ordered)
                return
            case Refuse(what, hint, subject):
                yield Waiting(StatusWait(Reason.DATA_DISK, subject, world.now(), what, hint))
                yield from _change()


def _grow(world: World) -> Steps[None]:
    """The image's own partition takes what its disk has behind it: at the first boot, and when the disk was enlarged.

    sfdisk moves the second partition table to the disk's end and writes both, partx says what is in them now, and the
    kernel is told. A cut between these is mended by the next boot, which reads the table anew.
    """
    partition = rootdisk.named(paths.DATA_LABEL, world.root)
    if partition is None or partition.room < WORTHWHILE:
        return
    if any(other.start > partition.start for other in rootdisk.partitions(world.root)):
        return  # somebody has put another one behind it
    number, disk, size = str(partition.number), world.path(partition.disk), partition.size

    def write() -> None:
        reader, writer = os.pipe()
        os.write(writer, b",+\n")  # as it begins, and all that there is
        os.close(writer)
        os.dup2(reader, 0)
        os.execv(SFDISK, (SFDISK, "--no-reread", "--no-tell-kernel", "-N", number, disk))

    def tell() -> None:
        rootdisk.resize(partition, size, world.root)

    size = partition.size
    show = (PARTX, "--show", "--noheadings", "--bytes", "--output", "SIZE", "--nr", number, disk)
    result = yield from _run(Run(call=write, timeout=PROBE_TIME, capture=True))
    if result.code == 0:
        result = yield from _run(Run(argv=show, timeout=PROBE_TIME, capture=True))
    if result.code == 0:
        size = int(result.output)
        result = yield from _run(Run(call=tell, timeout=PROBE_TIME, capture=True))
    if result.code != 0:
        world.log(f"{partition.device} cannot grow to the end of its disk: {_last(result.output)}")
        return
    world.log(f"{partition.device} grows by {human(size - partition.size)} to the end of its disk")


def _fill(world: World, disk: Disk) -> Steps[None]:
    """A mounted file system takes what its device has more, if that is worth it. It is used as it is if that fails."""
    if not disk.filled or disk.size - disk.filled < WORTHWHILE:
        return
    result = yield from _run(Run(argv=(RESIZE, world.path(disk.device)), timeout=MKFS_TIME, capture=True))
    said = "now takes all of it" if result.code == 0 else f"does not grow: {_last(result.output)}"
    world.log(f"the file system on {disk.describe()} {said}")


def _is_cut(world: World) -> bool:
    """The machine was started from a disk image whose last partition is not there: the kernel passes over what lies
    behind the disk's end."""
    parts = {partition.name for partition in rootdisk.partitions(world.root)}
    return paths.ESP_LABEL in parts and paths.DATA_LABEL not in parts


def _change() -> Steps[None]:
    """Until something happens to a block device: one comes, or somebody wipes one by hand."""
    while True:
        woken = yield Wait(ASK_AGAIN, uevent=True)
        if woken.lost or not woken.events or any(event.get("SUBSYSTEM") == "block" for event in woken.events):
            return


def _disks(world: World, loading: Callable[[], bool]) -> Steps[tuple[Disk, ...]]:
    """What there is, once that is settled: a labelled file system ends the waiting."""
    quiet = QUIET_USB if os.path.isdir(world.path(USB_DISKS)) else QUIET
    names: frozenset[str] = frozenset()
    since = world.now()
    disks: tuple[Disk, ...] = ()
    while True:
        present = blockdevices.names(world.root)
        if present != names:
            names, since = present, world.now()
            disks = yield from _probe(world)
            if isinstance(decide(disks, world.keys.data_disk), Mount):
                return disks
        elif loading():
            since = world.now()
        left = since + quiet - world.now()
        if left <= 0:
            return (yield from _identify(world, disks))
        yield Wait(left, uevent=True)


def _probe(world: World) -> Steps[tuple[Disk, ...]]:
    def child() -> None:
        data = memoryview(blockdevices.probe(world.root))
        while data:
            data = data[os.write(1, data) :]

    result = yield from _run(Run(call=child, timeout=PROBE_TIME, capture=True))
    if result.code != 0:
        raise PhaseFailed(
            Reason.DATA_DISK,
            "",
            f"the block devices cannot be looked at: {_last(result.output)}",
            "See the kernel's messages for a broken disk.",
        )
    return blockdevices.parse(result.output)


def _identify(world: World, disks: tuple[Disk, ...]) -> Steps[tuple[Disk, ...]]:
    """Ask libblkid what is on each disk that might be taken for empty, or that a person has to be told of."""
    contents: dict[str, str] = {}
    for disk in disks:
        if disk.whole and not disk.root and not disk.label and not disk.read_only and disk.size:
            result = yield from _run(
                Run(argv=(BLKID, "-p", "-o", "export", world.path(disk.device)), timeout=PROBE_TIME, capture=True)
            )
            contents[disk.device] = blockdevices.content_of(result.code, result.output)
    return blockdevices.with_content(disks, contents)


def _check(world: World, disk: Disk) -> Steps[None]:
    result = yield from _run(Run(argv=(E2FSCK, "-p", world.path(disk.device)), timeout=FSCK_TIME, capture=True))
    if result.code not in FSCK_FINE:
        raise _failed(
            disk,
            f"e2fsck could not repair {disk.describe()} (exit code {result.code}): {_last(result.output)}",
            f"Repair it by hand (e2fsck -f {disk.device}), or restore it from a backup.",
        )


def _format(world: World, disk: Disk) -> Steps[None]:
    yield from _mark(world, disk, unfinished=True)
    # The tables are zeroed by the kernel later: the disk has just been found to be empty. A discard would take the mark
    # away. No -F: mkfs looks once more.
    # Behind an image's partition may be anything: there the journal is zeroed, lest old blocks be taken for its own.
    options = f"nodiscard,lazy_itable_init=1,lazy_journal_init={int(disk.whole)}"
    command = (MKFS, "-q", "-L", paths.DATA_LABEL, "-m", "1", "-E", options, world.path(disk.device))
    result = yield from _run(Run(argv=command, timeout=MKFS_TIME, capture=True))
    if result.code != 0:
        raise _failed(
            disk,
            f"mkfs.ext4 failed on {disk.describe()} (exit code {result.code}): {_last(result.output)}",
            "Replace the disk, or make the file system by hand.",
        )
    yield from _mark(world, disk, unfinished=False)


def _mark(world: World, disk: Disk, *, unfinished: bool) -> Steps[None]:
    def child() -> None:
        blockdevices.mark_unfinished(world.path(disk.device), disk.size, unfinished=unfinished)

    result = yield from _run(Run(call=child, timeout=PROBE_TIME, capture=True))
    if result.code != 0:
        raise _failed(disk, f"{disk.describe()} cannot be written: {_last(result.output)}", "Replace the disk.")


def _mount(world: World, disk: Disk) -> Steps[None]:
    target = world.path(paths.DATA)

    def child() -> None:
        linux.mount(world.path(disk.device), target, "ext4", FLAGS, DATA)
        os.chmod(target, 0o700)

    result = yield from _run(Run(call=child, timeout=MOUNT_TIME, capture=True))
    if result.code != 0:
        raise _failed(
            disk,
            f"{disk.describe()} cannot be mounted: {_last(result.output)}",
            "See the kernel's messages; the file system may be damaged.",
        )
    world.state["data"] = "disk"
    world.log(f"data is on {disk.describe()}")


def _memory(world: World, ordered: bool) -> Steps[None]:
    def child() -> None:
        linux.mount("tmpfs", world.path(paths.DATA), "tmpfs", linux.MS_NOATIME, "mode=0700")

    result = yield from _run(Run(call=child, timeout=MOUNT_TIME, capture=True))
    if result.code != 0:
        raise PhaseFailed(Reason.DATA_DISK, "", f"no tmpfs can be mounted: {_last(result.output)}", again=True)
    world.state["data"] = "memory"
    if ordered:
        world.log("data is in memory, as ordered")
        return
    world.log(NO_DISK)
    console = Console(world.path(DEVICE))
    console.line(NO_DISK)
    console.close()


def _run(run: Run) -> Steps[Finished]:
    result = yield run
    assert isinstance(result, Finished)
    return result


def _failed(disk: Disk, what: str, hint: str) -> PhaseFailed:
    return PhaseFailed(Reason.DATA_DISK, disk.serial or disk.device, what, hint)


def _last(output: bytes) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no message"
