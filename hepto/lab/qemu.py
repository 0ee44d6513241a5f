"""QEMU's argument vector as a pure function of a frozen specification.

The console, the machine protocol and the lab channel are descriptors (one end of a socket pair each): no socket file
exists, nobody else can connect, and there is nothing to wait for. A secret is only ever the *name* of a file here.
"""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from hepto.lab.spec import Emulator

CHANNEL_DEVICE = "channel0"
"""QEMU's id of the port; events of the machine protocol name it."""
CHANNEL_PORT = "hepto.lab"
"""The port's name inside the guest (init.contract.paths.LAB_PORT)."""
NETWORK = "net0"
"""QEMU's name of the network interface's cable."""
ROOT_SERIAL = "hepto-root"
DATA_SERIAL = "lab-data"
COMMAND_LINE_LIMIT = 2047
"""x86 cuts off what is longer without a word (COMMAND_LINE_SIZE in arch/x86/include/asm/setup.h)."""


@dataclass(frozen=True)
class Machine:
    """All that QEMU is told about one machine."""

    name: str
    uuid: UUID
    hardware_address: bytes
    memory: int
    cpus: int
    kernel: Path
    initrd: Path
    root: Path
    command_line: str
    console_log: Path
    oem_strings: tuple[Path, ...] = ()
    data: Path | None = None


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


def argv(emulator: Emulator, machine: Machine, given: Descriptors) -> tuple[str, ...]:
    """The command that runs `machine`."""
    words = [
        *emulator.argv,
        *("-name", f"hepto-{machine.name}"),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        *("-machine", "q35,vmport=off", *_processor(emulator, machine.cpus)),
        *("-m", str(machine.memory), "-uuid", str(machine.uuid)),
        *("-kernel", str(machine.kernel), "-initrd", str(machine.initrd), "-append", machine.command_line),
        *_disk("root", machine.root, ROOT_SERIAL, read_only=True),
        *(_disk("data", machine.data, DATA_SERIAL, read_only=False) if machine.data is not None else ()),
        *("-netdev", f"tap,id={NETWORK},fd={given.tap}"),
        *("-device", f"virtio-net-pci,netdev={NETWORK},mac={machine.hardware_address.hex(':')},romfile="),
        *("-object", "rng-builtin,id=rng0", "-device", "virtio-rng-pci,rng=rng0"),
        *("-chardev", f"socket,id=console,fd={given.console},logfile={_escape(machine.console_log)},logappend=on"),
        *("-serial", "chardev:console"),
        *("-chardev", f"socket,id=qmp,fd={given.qmp}", "-mon", "chardev=qmp,mode=control"),
        *("-chardev", f"socket,id=channel,fd={given.channel}", "-device", "virtio-serial-pci"),
        *("-device", f"virtserialport,chardev=channel,id={CHANNEL_DEVICE},name={CHANNEL_PORT}"),
    ]
    for path in machine.oem_strings:
        words += ["-smbios", f"type=11,path={_escape(path)}"]
    return tuple(words)


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


def _processor(emulator: Emulator, cpus: int) -> tuple[str, ...]:
    if emulator.accelerator != "tcg":
        return ("-accel", emulator.accelerator, "-cpu", "host", "-smp", str(cpus))
    if emulator.trusted:
        return ("-accel", "tcg", "-cpu", "max", "-smp", str(cpus))
    # Without cmpxchg16b and with one processor 0 of 6 boots broke, otherwise 4 of 9 (facts.md section 2).
    return ("-accel", "tcg", "-cpu", "max,cx16=off", "-smp", "1")


def _disk(name: str, path: Path, serial: str, *, read_only: bool) -> tuple[str, ...]:
    # Flushes are ignored: QEMU's death loses nothing that the guest wrote, only the host's own power cut would.
    options = "read-only=on" if read_only else "discard=unmap,detect-zeroes=unmap,cache.no-flush=on"
    return (
        *("-blockdev", f"raw,node-name={name},{options},file.driver=file,file.filename={_escape(path)}"),
        *("-device", f"virtio-blk-pci,drive={name},serial={serial}"),
    )


def _escape(path: Path) -> str:
    """QEMU's option lists double a comma."""
    return str(path).replace(",", ",,")
