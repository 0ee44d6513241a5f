"""One command's connection to the holder: requests in, answers out. The end of the connection cancels all it has
asked for.

lab                               -> data (the snapshot), exit
events                            -> data (the snapshot) at once and at each change, for ever
guest    node request             -> the node's own answer frames
host     where argv stdin         -> stdout and stderr of a command run in the router's or the outer network, exit
console  node                     -> data for ever; `type target data` sends keys
power    node action              -> exit
fault    kind …                   -> exit (see faults.inject)
cancel   target                   -> nothing; that request's answers end
down     graceful                 -> exit, then the lab ends
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from hepto.errors import PeerError, UserError
from hepto.lab import channel, faults
from hepto.lab.channel import Frame
from hepto.lab.vm import VirtualMachine

if TYPE_CHECKING:
    from hepto.lab.holder import Holder

BACKLOG = 64 * 1024 * 1024
"""Bytes that wait for a command that does not read; beyond, it is cut off, for others must not wait for it."""


class Session:
    """One connection."""

    def __init__(self, holder: "Holder", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._holder = holder
        self._reader = reader
        self._writer = writer
        self._cancels: dict[int, Callable[[], object]] = {}

    async def run(self) -> None:
        """Serve until the command closes."""
        decoder = channel.Decoder()
        try:
            while data := await self._reader.read(65536):
                for frame in decoder.feed(data):
                    self._take(frame)
        except (PeerError, ConnectionError) as error:
            print(f"a command was cut off: {error}", flush=True)
        finally:
            for cancel in tuple(self._cancels.values()):
                cancel()
            self._writer.close()

    def _take(self, frame: Frame) -> None:
        identity = frame.get("id")
        if not isinstance(identity, int):
            raise PeerError("no-id", repr(frame)[:80])
        try:
            self._dispatch(identity, frame)
        except UserError as error:
            self._answer(identity, {"error": error.what, "hint": error.hint})
        except (KeyError, TypeError, ValueError) as error:
            self._answer(identity, _misunderstood(error))

    def _dispatch(self, identity: int, frame: Frame) -> None:
        match frame["verb"]:
            case "lab":
                self._snapshot(identity)
                self._answer(identity, {"exit": 0})
            case "events":
                self._start(identity, self._events(identity))
            case "guest":
                machine = self._machine(frame)
                number = machine.ask(frame["request"], lambda answer: self._answer(identity, answer))
                self._cancels[identity] = lambda: machine.cancel(number)
            case "host":
                self._start(identity, self._run(identity, frame))
            case "console":
                self._console(identity, frame)
            case "type":
                self._machine(frame).type(channel.unpack(frame))
            case "power":
                self._start(identity, self._do(identity, self._power(frame)))
            case "fault":
                self._start(identity, self._do(identity, faults.inject(self._holder, frame)))
            case "cancel":
                self._cancels.pop(frame["target"], lambda: None)()
            case "down":
                self._start(identity, self._down(identity, bool(frame.get("graceful"))))
            case verb:
                raise ValueError(verb)

    def _machine(self, frame: Frame) -> VirtualMachine:
        return self._holder.machine(frame["node"])

    def _answer(self, identity: int, frame: Frame) -> None:
        if self._writer.transport.get_write_buffer_size() > BACKLOG:
            self._writer.transport.abort()
        if self._writer.is_closing():
            return
        if "stream" not in frame:
            self._cancels.pop(identity, None)
        self._writer.write(channel.encode({**frame, "id": identity}))

    def _snapshot(self, identity: int) -> None:
        data = json.dumps(self._holder.snapshot()).encode()
        self._answer(identity, {"stream": "data", "data": channel.pack(data)})

    def _start(self, identity: int, work: Any) -> None:
        self._cancels[identity] = self._holder.start(work).cancel

    async def _events(self, identity: int) -> None:
        async with self._holder.changes:
            while True:
                self._snapshot(identity)
                await self._holder.changes.wait()

    def _console(self, identity: int, frame: Frame) -> None:
        machine = self._machine(frame)

        def watch(answer: Frame) -> None:
            self._answer(identity, answer)

        machine.watchers.add(watch)
        self._cancels[identity] = lambda: machine.watchers.discard(watch)

    async def _do(self, identity: int, work: Coroutine[Any, Any, None]) -> None:
        """Answer when it is done, or why it is not."""
        try:
            await work
        except UserError as error:
            self._answer(identity, {"error": error.what, "hint": error.hint})
        except (KeyError, TypeError, ValueError) as error:
            self._answer(identity, _misunderstood(error))
        else:
            self._answer(identity, {"exit": 0})

    async def _power(self, frame: Frame) -> None:
        machine = self._machine(frame)
        match frame["action"]:
            case "on":
                await machine.switch_on()
            case "off":
                machine.switch_off()
            case action:
                machine.press(action)

    async def _down(self, identity: int, graceful: bool) -> None:
        if graceful:
            await self._holder.shut_down()
        self._answer(identity, {"exit": 0})
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        self._holder.over.set()

    async def _run(self, identity: int, frame: Frame) -> None:
        """A command of this machine inside the lab's network."""
        argv: list[str] = frame["argv"]
        if frame["where"] == "outside":
            assert self._holder.outside is not None
            argv = ["nsenter", f"--net=/proc/{self._holder.outside.pid}/ns/net", "--", *argv]
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe)
        except OSError as error:
            self._answer(
                identity, {"error": f"{argv[0]}: {error.strerror}", "hint": "is it installed on this machine?"}
            )
            return
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(channel.unpack({"data": frame.get("stdin") or ""}))
                process.stdin.close()
            await asyncio.gather(
                self._copy(identity, "stdout", process.stdout), self._copy(identity, "stderr", process.stderr)
            )
            status = await process.wait()
            self._answer(identity, {"exit": status if status >= 0 else 128 - status})
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise

    async def _copy(self, identity: int, stream: str, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(channel.PIECE):
            self._answer(identity, {"stream": stream, "data": channel.pack(data)})


def _misunderstood(error: Exception) -> Frame:
    return {"error": f"not a request: {error!r}", "hint": "command and holder differ: make the lab anew"}
