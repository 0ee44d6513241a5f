"""Which disk holds the data (boot.md section 5): a pure decision from what was found on the machine's block devices.

`decide` never guesses: it formats only the one whole disk that is provably empty (or that says that hepto has begun to
format it), uses memory only when there is nothing else or it was ordered, and else says what is in the way. Looking at
the disks and mounting them is `init.datadisk`'s part.
"""

from dataclasses import dataclass

from init.contract.paths import DATA_LABEL
from init.contract.sizes import human

MEMORY = "memory"
OPTION = "hepto.data-disk"
LEAST = 64 * 1024 * 1024
"""Bytes of a partition for the data; a node with Kubernetes takes more, and says so."""


@dataclass(frozen=True)
class Disk:
    """A block device, or a partition (then `whole` is false and `serial` is that of its disk)."""

    device: str
    """/dev/vdb"""
    size: int
    """Bytes."""
    serial: str = ""
    whole: bool = True
    root: bool = False
    """It is what the system was started from, or a part of it."""
    read_only: bool = False
    label: str = ""
    """The label of the ext2/3/4 file system on it."""
    blank: bool = False
    """Zeros in its first and last MiB, and no partition in use."""
    unfinished: bool = False
    """Power was cut while hepto made a file system on it: there is no data on it yet."""
    partition: str = ""
    """PARTLABEL, of a partition of a GPT."""
    filled: int = 0
    """Bytes that the ext4 file system takes; 0 if there is none."""
    model: str = ""
    content: str = ""
    """What libblkid has recognised, as `xfs` or `partition table gpt`; empty: nothing, or not asked."""

    @property
    def reserved(self) -> bool:
        """A partition that a disk image has for the data: what is on it is looked at as if it were a whole disk."""
        return not self.whole and self.partition == DATA_LABEL

    def describe(self) -> str:
        """One item of a list for a person."""
        unknown = "unfinished" if self.unfinished else "blank" if self.blank else "unknown content"
        content = f"ext4 labelled {self.label}" if self.label else self.content or unknown
        serial = f", serial {self.serial}" if self.serial else ""
        return f"{self.device} ({human(self.size)}{serial}, {content})"


@dataclass(frozen=True)
class Mount:
    """Check and mount the file system that is there."""

    disk: Disk


@dataclass(frozen=True)
class Format:
    """Make a file system on a blank disk, then mount it."""

    disk: Disk


@dataclass(frozen=True)
class Memory:
    """Use a tmpfs. `ordered`: by the operator; else because there is no disk at all."""

    ordered: bool


@dataclass(frozen=True)
class Refuse:
    """Start nothing. A disk that appears later may change that."""

    what: str
    hint: str
    subject: str = ""


Decision = Mount | Format | Memory | Refuse


def decide(disks: tuple[Disk, ...], wanted: str = "") -> Decision:
    """Apply boot.md section 5. `wanted` is the value of hepto.data-disk: a serial number, `memory` or nothing."""
    if wanted == MEMORY:
        return Memory(ordered=True)
    if wanted:
        return _of_serial(tuple(disk for disk in disks if disk.serial == wanted), disks, wanted)
    labelled = tuple(disk for disk in disks if disk.label == DATA_LABEL)
    if len(labelled) == 1:
        return Mount(labelled[0])
    if labelled:
        return Refuse(
            f"{len(labelled)} file systems are labelled {DATA_LABEL}: {_list(labelled)}",
            f"Remove all but one, or name its disk with {OPTION}=SERIAL.",
        )
    if reserved := tuple(disk for disk in disks if disk.reserved and not disk.root and not disk.read_only):
        return _of_partition(reserved, wanted)
    # A read-only disk is a configuration drive or an installation medium: it can never become the data disk.
    usable = tuple(disk for disk in disks if disk.whole and not disk.root and not disk.read_only and disk.size > 0)
    begun = tuple(disk for disk in usable if disk.unfinished)
    blank = begun or tuple(disk for disk in usable if _is_empty(disk))
    if len(blank) == 1:
        return Format(blank[0])
    if not usable:
        return Memory(ordered=False)
    if blank:
        return Refuse(
            f"{len(blank)} disks are blank: {_list(blank)}", f"Choose one with {OPTION}=SERIAL, or {OPTION}={MEMORY}."
        )
    return Refuse(
        f"no disk is blank or labelled {DATA_LABEL}: {_list(usable)}",
        f"Wipe one (wipefs -a, then zeros over its first and last MiB), or set {OPTION}={MEMORY}.",
    )


def _of_serial(named: tuple[Disk, ...], disks: tuple[Disk, ...], wanted: str) -> Decision:
    labelled = tuple(disk for disk in named if disk.label == DATA_LABEL)
    if len(labelled) == 1:
        return Mount(labelled[0])
    if len(labelled) > 1:
        return Refuse(
            f"disk {wanted} has {len(labelled)} file systems labelled {DATA_LABEL}: {_list(labelled)}",
            "Keep one of them.",
            wanted,
        )
    if reserved := tuple(disk for disk in named if disk.reserved):
        return _of_partition(reserved, wanted)
    whole = tuple(disk for disk in named if disk.whole)
    if len(whole) == 1 and _is_empty(whole[0]) and not whole[0].root and not whole[0].read_only:
        return Format(whole[0])
    if whole:
        return Refuse(
            f"disk {wanted} is neither blank nor labelled {DATA_LABEL}: {_list(whole)}",
            "Wipe it (wipefs -a, then zeros over its first and last MiB), or name another.",
            wanted,
        )
    others = tuple(disk for disk in disks if disk.whole and not disk.root)
    return Refuse(
        f"no disk has the serial number {wanted}; there is {_list(others) or 'none at all'}",
        f"Attach it, or change {OPTION}.",
        wanted,
    )


def _of_partition(reserved: tuple[Disk, ...], wanted: str) -> Decision:
    """Of the image's own partition, which has grown as far as its disk goes."""
    if len(reserved) > 1:
        hint = f"Remove the disk that is not to be used, or name the other with {OPTION}=SERIAL."
        return Refuse(f"{len(reserved)} partitions are named {DATA_LABEL}: {_list(reserved)}", hint, wanted)
    (disk,) = reserved
    if not _is_empty(disk):
        what = f"the partition {DATA_LABEL} is neither blank nor labelled so: {disk.describe()}"
        return Refuse(what, "Zero its first MiB if nobody needs it, or name another disk.", wanted)
    if disk.size < LEAST:
        what = f"the disk is too small: {human(disk.size)} are left for {DATA_LABEL}, and {human(LEAST)} are needed"
        return Refuse(what, "Enlarge it, and reboot: the partition grows with it.", wanted)
    return Format(disk)


def _is_empty(disk: Disk) -> bool:
    return disk.unfinished or (disk.blank and not disk.content and not disk.label)


def _list(disks: tuple[Disk, ...]) -> str:
    return "; ".join(disk.describe() for disk in disks)
