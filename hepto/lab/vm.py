"""One virtual machine of a lab: its QEMU process, its power, its console, and requests to the node over the lab
channel.

All of it runs in the holder's event loop. Callers hand in a `Sink` for answers; it is called with frames until one of
them is the last (`exit` or `error`). When the machine ends or begins anew, every open request gets its error.
"""

import asyncio
import itertools
import os
import shutil
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hepto.errors import PeerError, UserError
from hepto.lab import channel, qemu, qmp, sparse
from hepto.lab.channel import Frame
from hepto.lab.spec import DISK, DISK_FILE, ISO_FILE, MEDIA, UKI, UKI_FILE, USB, Lab, Node, NodeFiles

Sink = Callable[[Frame], None]
READ = 64 * 1024
CODE, VARIABLES = "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"
"""Of Debian's package ovmf: without Secure Boot, for nothing of an image is signed."""


@dataclass
class Power:
    """`on` or off, the reason of the last change, and how often the machine has begun (switched on or reset)."""

    on: bool = False
    reason: str = "not switched on yet"
    boots: int = 0


@dataclass
class _Running:
    """What exists only while QEMU runs."""

    process: asyncio.subprocess.Process
    console: asyncio.StreamWriter
    monitor: asyncio.StreamWriter
    port: asyncio.StreamWriter
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class VirtualMachine:
    """A node's machine, switched on or off."""

    def __init__(self, lab: Lab, node: Node, files: NodeFiles, tap: int, changed: Callable[[], None]) -> None:
        self.node = node
        self.power = Power()
        self.watchers: set[Sink] = set()
        self.generation = 0
        """How often the machine was replaced by another one of the same name."""
        self.link_up = True
        self.is_disk_broken = False
        self.clock = ""
        """What its clock says when it is switched on (UTC, as in 1970-01-01T00:00:00); "": the time of now."""
        self._lab = lab
        self._files = files
        self._tap = tap
        self._changed = changed
        self._running: _Running | None = None
        self._stream = channel.GuestStream()
        self._pending: dict[int, Sink] = {}
        self._spoke = False
        self._numbers = itertools.count(1)

    @property
    def pid(self) -> int | None:
        """QEMU's process, seen from the holder."""
        return self._running.process.pid if self._running else None

    @property
    def channel_open(self) -> bool:
        """True if the node serves the lab channel."""
        return self._stream.open

    def prepare(self) -> None:
        """Make the node's files: credentials that only we may read, and the data disk as a hole of its size."""
        credentials = self._files.directory / "credentials"
        credentials.mkdir(mode=0o700, parents=True)
        for name, value in self.node.credentials:
            path = self._files.credential(name)
            path.touch(mode=0o600)
            # QEMU takes the whole file as one SMBIOS string: no newline.
            path.write_text(f"io.systemd.credential:{name}={value}")
        self._make_disk(self._content())
        self._files.console.touch(mode=0o600)
        if self.node.uefi:
            self._files.words.write_text(qemu.further_words(self.node.options))
            shutil.copyfile(Path(self._lab.emulator.firmware) / VARIABLES, self._files.variables)

    def _content(self) -> Path | None:
        """What its disk begins with."""
        if self.node.disk_from:
            return Path(self.node.disk_from)
        return Path(self._lab.image) / DISK_FILE if self.node.format == DISK else None

    def replace(self) -> None:
        """Another machine in its place: a blank disk, other addresses. Only while it is off."""
        assert self._running is None, "it is off"
        self.generation += 1
        if self.node.disk:
            self._files.data.unlink()
        self._make_disk(self._content() if self.node.format == DISK else None)

    def _make_disk(self, content: Path | None) -> None:
        if not self.node.disk:
            return
        with self._files.data.open("xb") as disk:
            if content is not None:
                sparse.copy(content, disk.fileno())
            disk.truncate(max(self.node.disk * 1024 * 1024, disk.seek(0, os.SEEK_END)))

    async def switch_on(self) -> None:
        """Start QEMU. Nothing happens if it runs."""
        if self._running is not None:
            return
        near, far = zip(*(socket.socketpair() for _ in range(3)), strict=True)
        if writes := self._writes():
            writes.write_bytes(b"")  # QEMU makes none, and a log begins with the machine
        given = qemu.Descriptors(self._tap, *(end.fileno() for end in far))
        command = qemu.argv(self._lab.emulator, self._machine(), given)
        with self._files.errors.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env={**os.environ, **dict(self._lab.emulator.environment)},
                pass_fds=given.all(),
            )
        for end in far:
            end.close()
        console, monitor, port = [await asyncio.open_connection(sock=end) for end in near]
        self._stream = channel.GuestStream()
        self._spoke = False
        self._running = _Running(process, console[1], monitor[1], port[1])
        self.power = Power(on=True, reason="switched on", boots=self.power.boots + 1)
        readers = (
            self._pump(console[0], self._console_said),
            self._pump(port[0], self._port_said),
            self._monitor(monitor[0]),
            self._wait(process),
        )
        self._running.tasks.extend(asyncio.create_task(reader) for reader in readers)
        self._changed()

    def switch_off(self) -> None:
        """Cut the power."""
        if self._running is not None:
            self.power.reason = "switched off"
            with suppress(ProcessLookupError):
                self._running.process.kill()

    def press(self, action: str) -> None:
        """`reset` or `button`: what a person can press. Raises UserError if it is off or has no such button."""
        names = {"reset": "system_reset", "button": "system_powerdown"}
        if action not in names:
            raise UserError(f"no such action: {action!r}", f"one of on, off, {', '.join(names)}")
        if self._running is None:
            raise UserError(f"{self.node.name} is off", f"hepto lab power {self.node.name} on")
        self._running.monitor.write(qmp.command(names[action], next(self._numbers)))

    def set_link(self, *, up: bool) -> None:
        """Plug the network cable in or pull it; it stays so when the machine is off."""
        self.link_up = up
        if self._running is not None:
            self._running.monitor.write(qmp.command("set_link", next(self._numbers), name=qemu.NETWORK, up=up))

    def break_disk(self, *, broken: bool) -> None:
        """Let the data disk neither read nor write, or be as before; it stays so when the machine is off."""
        if broken != self.is_disk_broken:
            self.is_disk_broken = broken
            self._change_disk()

    def _change_disk(self) -> None:
        if self._running is None:
            return
        *_, data = qemu.data_nodes(self._files.data, self._writes())
        for name, arguments in (qemu.broken if self.is_disk_broken else qemu.mended)(data):
            self._running.monitor.write(qmp.command(name, next(self._numbers), **arguments))

    def type(self, data: bytes) -> None:
        """Keys for the serial console."""
        if self._running is not None:
            self._running.console.write(data)

    def ask(self, request: Frame, sink: Sink) -> int:
        """Send a request to the node.

        Answers come to `sink`; the number is for `cancel`. Raises UserError if nobody is there.
        """
        if self._running is None or not self.channel_open:
            raise UserError(*self._silence())
        number = next(self._numbers)
        try:
            data = channel.encode({**request, "id": number})
        except ValueError as error:
            raise UserError(f"the request is too large: {error}", "send less on standard input") from None
        self._pending[number] = sink
        self._running.port.write(data)
        return number

    def cancel(self, number: int) -> None:
        """Nobody waits for that answer any more; the node ends what it does for it."""
        if self._pending.pop(number, None) is not None and self._running is not None and self.channel_open:
            cancel = {"id": next(self._numbers), "verb": "cancel", "target": number}
            self._running.port.write(channel.encode(cancel))

    def _silence(self) -> tuple[str, str]:
        name = self.node.name
        if not self.power.on:
            return f"{name} is off: {self.power.reason}", f"hepto lab power {name} on"
        return f"{name} does not serve its lab channel (yet)", f"hepto lab console {name}  shows how far it has come"

    def _machine(self) -> qemu.Machine:
        return qemu.Machine(
            name=self.node.name,
            uuid=self._lab.identity(self.node.name, self.generation),
            hardware_address=self._lab.hardware_address(self.node.name, self.generation),
            memory=self.node.memory,
            cpus=self.node.cpus,
            start=self._start(Path(self._lab.image)),
            console_log=self._files.console,
            oem_strings=(
                *(self._files.credential(name) for name, _ in self.node.credentials),
                *((self._files.words,) if self.node.uefi else ()),
            ),
            data=self._files.data if self.node.disk else None,
            writes=self._writes(),
            watchdog=self.node.watchdog,
            clock=self.clock,
        )

    def _start(self, image: Path) -> qemu.Direct | qemu.Uefi:
        if self.node.uefi:
            code = Path(self._lab.emulator.firmware) / CODE
            uki = image / UKI_FILE if self.node.format == UKI else None
            medium = image / ISO_FILE if self.node.format in MEDIA else None
            return qemu.Uefi(code, self._files.variables, uki, medium, stick=self.node.format == USB)
        words = qemu.command_line(self.node.options)
        return qemu.Direct(image / "vmlinuz", image / "initrd.cpio", image / "root.erofs", words)

    def _writes(self) -> Path | None:
        return Path(self.node.record) if self.node.record else None

    async def _pump(self, reader: asyncio.StreamReader, take: Callable[[bytes], None]) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(READ):
                take(data)

    async def _monitor(self, reader: asyncio.StreamReader) -> None:
        parser = qmp.Parser()

        def take(data: bytes) -> None:
            for message in parser.feed(data):
                self._monitor_said(message)

        await self._pump(reader, take)

    def _monitor_said(self, message: qmp.Message) -> None:
        match message:
            case qmp.Greeting():
                assert self._running is not None
                self._running.monitor.write(qmp.command("qmp_capabilities", 0))
                if not self.link_up:
                    self.set_link(up=False)
                if self.is_disk_broken:
                    self._change_disk()
            case qmp.Reply(error=error) if error:
                print(f"{self.node.name}: QEMU refuses: {error}", flush=True)
            case qmp.Reply():
                pass
            case qmp.Event():
                self._event(qmp.describe(message, qemu.CHANNEL_DEVICE))

    def _event(self, change: qmp.PowerChange | qmp.PortChange | None) -> None:
        if change is not None:
            print(f"{self.node.name}: {qmp.line(change)}", flush=True)
        match change:
            case qmp.PowerChange("off", reason):
                self.power.reason = reason
            case qmp.PowerChange("reset", reason):
                self.power.reason = reason
                # One reboot gives several of these events; a machine that said nothing in between has not begun.
                self.power.boots += self._spoke
                self._spoke = False
                self._lose("has begun anew")
            case qmp.PortChange(open=False):
                self._lose("has closed its lab channel")
            case _:
                return
        self._changed()

    def _lose(self, why: str) -> None:
        """The one at the other end is gone: its answers will not come."""
        pending, self._pending = self._pending, {}
        for sink in pending.values():
            sink({"error": f"{self.node.name} {why}"})
        self._take(self._stream.lost())

    def _port_said(self, data: bytes) -> None:
        self._take(self._stream.feed(data))

    def _take(self, frames: list[Frame]) -> None:
        for frame in frames:
            if "hello" in frame:
                self._changed()
                continue
            number = frame.get("id")
            sink = self._pending.get(number) if isinstance(number, int) else None
            if sink is None:
                continue  # cancelled meanwhile
            if "stream" not in frame:
                self._pending.pop(number, None)  # type: ignore[arg-type]  # an int, or there were no sink
            sink(frame)

    def _console_said(self, data: bytes) -> None:
        self._spoke = True
        for watcher in tuple(self.watchers):
            watcher({"stream": "data", "data": channel.pack(data)})

    async def _wait(self, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        assert self._running is not None
        if status > 0:
            self.power.reason = f"QEMU ended with status {status}: {_last_line(self._files.errors)}"
        elif status < 0 and self.power.reason != "switched off":
            self.power.reason = f"QEMU was ended by signal {-status}"
        self.power.on = False
        for writer in (self._running.console, self._running.monitor, self._running.port):
            writer.close()
        self._running = None
        self._lose("is off")
        self._stream = channel.GuestStream()
        self._changed()


def _last_line(path: Path) -> str:
    with suppress(OSError):
        lines = path.read_text(errors="replace").strip().splitlines()
        if lines:
            return lines[-1]
    return "it said nothing"


__all__ = ["PeerError", "Power", "Sink", "VirtualMachine"]
