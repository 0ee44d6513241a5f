"""QEMU's argument vector as a pure function of a frozen specification.

The console, the machine protocol and the lab channel are descriptors (one end of a socket pair each): no socket file
exists, nobody else can connect, and there is nothing to wait for. A secret is only ever the *name* of a file here.
"""

import errno
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from hepto.lab.spec import Emulator

CHANNEL_DEVICE = "channel0"
"""QEMU's id of the port; events of the machine protocol name it."""
CHANNEL_PORT = "hepto.lab"
"""The port's name inside the guest (init.contract.paths.LAB_PORT)."""
NETWORK = "net0"
"""QEMU's name of the network interface's cable."""
DATA, BELOW_DATA, BROKEN = "data", "data-below", "data-broken"
"""QEMU's names of the data disk, of what it lies on, and of what is put between them while it is broken."""
ROOT_SERIAL = "hepto-root"
DATA_SERIAL = "lab-data"
Block = dict[str, Any]
"""A node of QEMU's block layer, or the arguments of a command, as qapi/block-core.json has them."""
COMMAND_LINE_LIMIT = 2047
"""x86 cuts off what is longer without a word (COMMAND_LINE_SIZE in arch/x86/include/asm/setup.h)."""


@dataclass(frozen=True)
class Direct:
    """QEMU loads the kernel; the root is a disk of its own."""

    kernel: Path
    initrd: Path
    root: Path
    command_line: str


@dataclass(frozen=True)
class Uefi:
    """OVMF starts what is on the data disk, or the UKI or the medium that it is given."""

    code: Path
    variables: Path
    """The firmware's memory, which it writes to."""
    uki: Path | None = None
    medium: Path | None = None
    """An ISO image, which firmware starts if there is nothing to start on the data disk."""
    stick: bool = False
    """It is on a USB stick; else a CD."""


@dataclass(frozen=True)
class Machine:
    """All that QEMU is told about one machine."""

    name: str
    uuid: UUID
    hardware_address: bytes
    memory: int
    cpus: int
    start: "Direct | Uefi"
    console_log: Path
    oem_strings: tuple[Path, ...] = ()
    data: Path | None = None
    writes: Path | None = None
    """Where the writes and flushes of the data disk are logged."""
    watchdog: bool = False
    clock: str = ""
    """Where its real-time clock begins, UTC; "": at the time of now."""


@dataclass(frozen=True)
class Descriptors:
    """What the holder hands over: a tap device and the far ends of three socket pairs."""

    tap: int
    console: int
    qmp: int
    channel: int

    def all(self) -> tuple[int, ...]:
        """For `pass_fds`."""
        return (self.tap, self.console, self.qmp, self.channel)


def command_line(options: tuple[str, ...]) -> str:
    """The kernel's command line. A panic reboots after ten seconds, so that it can be read on the console."""
    return " ".join(("console=ttyS0", "quiet", "panic=10", "root=/dev/vda", *options))


def further_words(options: tuple[str, ...]) -> str:
    """The SMBIOS string by which a UKI's command line gets them, too (systemd-stub(7))."""
    return "io.systemd.stub.kernel-cmdline-extra=" + " ".join(("panic=10", *options))


def argv(emulator: Emulator, machine: Machine, given: Descriptors) -> tuple[str, ...]:
    """The command that runs `machine`."""
    words = [
        *emulator.argv,
        *("-name", f"hepto-{machine.name}"),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        *("-machine", f"q35,vmport=off{_flash(machine.start)}", *_processor(emulator, machine.cpus)),
        *("-m", str(machine.memory), "-uuid", str(machine.uuid)),
        *(("-rtc", f"base={machine.clock}") if machine.clock else ()),
        *_start(machine.start),
        *(_data(machine.data, machine.writes) if machine.data is not None else ()),
        *("-netdev", f"tap,id={NETWORK},fd={given.tap}"),
        *("-device", f"virtio-net-pci,netdev={NETWORK},mac={machine.hardware_address.hex(':')},romfile="),
        *("-object", "rng-builtin,id=rng0", "-device", "virtio-rng-pci,rng=rng0"),
        *("-chardev", f"socket,id=console,fd={given.console},logfile={_escape(machine.console_log)},logappend=on"),
        *("-serial", "chardev:console"),
        *("-chardev", f"socket,id=qmp,fd={given.qmp}", "-mon", "chardev=qmp,mode=control"),
        *("-chardev", f"socket,id=channel,fd={given.channel}", "-device", "virtio-serial-pci"),
        *("-device", f"virtserialport,chardev=channel,id={CHANNEL_DEVICE},name={CHANNEL_PORT}"),
    ]
    if machine.watchdog:
        words += ["-device", "i6300esb", "-action", "watchdog=reset"]
    for path in machine.oem_strings:
        words += ["-smbios", f"type=11,path={_escape(path)}"]
    return tuple(words)


def _start(start: Direct | Uefi) -> tuple[str, ...]:
    match start:
        case Direct():
            return (
                *("-kernel", str(start.kernel), "-initrd", str(start.initrd), "-append", start.command_line),
                *("-blockdev", f"raw,node-name=root,read-only=on,file.driver=file,file.filename={_escape(start.root)}"),
                *_device("root", ROOT_SERIAL),
            )
        case Uefi():
            return (
                *("-blockdev", f"raw,node-name=code,read-only=on,file.driver=file,file.filename={_escape(start.code)}"),
                *("-blockdev", f"raw,node-name=variables,file.driver=file,file.filename={_escape(start.variables)}"),
                *(("-kernel", str(start.uki)) if start.uki else ()),
                *(_medium(start.medium, stick=start.stick) if start.medium else ()),
            )


def _medium(path: Path, *, stick: bool) -> tuple[str, ...]:
    device = ("-device", "qemu-xhci", "-device", "usb-storage,removable=on") if stick else ("-device", "ide-cd")
    return (
        *("-blockdev", f"raw,node-name=medium,read-only=on,file.driver=file,file.filename={_escape(path)}"),
        *(*device[:-1], f"{device[-1]},drive=medium,bootindex=2"),
    )


def _flash(start: Direct | Uefi) -> str:
    return ",pflash0=code,pflash1=variables" if isinstance(start, Uefi) else ""


def probe_argv(emulator: Emulator, kernel: Path) -> tuple[str, ...]:
    """A machine that ends by itself within seconds:

    a kernel without any root panics and the machine must not start again.
    """
    return (
        *emulator.argv,
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35,vmport=off", *_processor(emulator, 1), "-m", "256"),
        *("-kernel", str(kernel), "-append", "console=ttyS0 panic=-1", "-serial", "stdio"),
    )


def export_argv(emulator: Emulator, nodes: tuple[Block, ...], monitor: int) -> tuple[str, ...]:
    """QEMU without any machine, for its block layer; `monitor` is the descriptor of the machine protocol."""
    blocks = (("-blockdev", json.dumps(node)) for node in nodes)
    return (
        *emulator.argv,
        *("-machine", "none", "-nodefaults", "-no-user-config", "-display", "none", "-S"),
        *itertools.chain.from_iterable(blocks),
        *("-chardev", f"socket,id=qmp,fd={monitor}", "-mon", "chardev=qmp,mode=control"),
    )


def _processor(emulator: Emulator, cpus: int) -> tuple[str, ...]:
    if emulator.accelerator != "tcg":
        return ("-accel", emulator.accelerator, "-cpu", "host", "-smp", str(cpus))
    if emulator.trusted:
        return ("-accel", "tcg", "-cpu", "max", "-smp", str(cpus))
    # Without cmpxchg16b and with one processor 0 of 6 boots broke, otherwise 4 of 9 (facts.md section 2).
    return ("-accel", "tcg", "-cpu", "max,cx16=off", "-smp", "1")


# Flushes are ignored: QEMU's death loses nothing that the guest wrote, only the host's own power cut would.
_CARELESS: Final = {"discard": "unmap", "detect-zeroes": "unmap", "cache": {"no-flush": True}}


def data_nodes(path: Path, writes: Path | None = None) -> tuple[Block, ...]:
    """QEMU's block nodes of the data disk in the order of making them; the last is what the guest's device uses.

    There are always two, so that another can be put between them (`broken`). With `writes` what passes is logged.
    """
    if writes is None:
        below: Block = {"driver": "file", "node-name": BELOW_DATA, "filename": str(path), "discard": "unmap"}
        return below, {"driver": "raw", "node-name": DATA, "file": BELOW_DATA, **_CARELESS}
    image = {"driver": "raw", "node-name": "data-image", "file": {"driver": "file", "filename": str(path)}, **_CARELESS}
    log = {"driver": "file", "filename": str(writes), "cache": {"no-flush": True}}
    return (  # flushes have to come as far as the log
        image,
        {"driver": "blklogwrites", "node-name": BELOW_DATA, "file": "data-image", "log": log},
        {"driver": "raw", "node-name": DATA, "file": BELOW_DATA},
    )


def broken(data: Block) -> tuple[tuple[str, Block], ...]:
    """Commands of the machine protocol after which the disk neither reads nor writes. `data`: the last of its nodes."""
    errors = [{"event": "none", "iotype": kind, "errno": errno.EIO} for kind in ("read", "write", "write-zeroes")]
    between = {"driver": "blkdebug", "node-name": BROKEN, "image": BELOW_DATA, "inject-error": errors}
    return ("blockdev-add", between), ("blockdev-reopen", {"options": [{**data, "file": BROKEN}]})


def mended(data: Block) -> tuple[tuple[str, Block], ...]:
    """The reverse."""
    return ("blockdev-reopen", {"options": [data]}), ("blockdev-del", {"node-name": BROKEN})


def _data(path: Path, writes: Path | None) -> tuple[str, ...]:
    nodes = (("-blockdev", json.dumps(node)) for node in data_nodes(path, writes))
    return (*itertools.chain.from_iterable(nodes), *_device(DATA, DATA_SERIAL))


def _device(node: str, serial: str) -> tuple[str, ...]:
    return ("-device", f"virtio-blk-pci,drive={node},serial={serial}{',bootindex=1' if node == DATA else ''}")


def _escape(path: Path) -> str:
    """QEMU's option lists double a comma."""
    return str(path).replace(",", ",,")
