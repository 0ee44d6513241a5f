"""The commands' side of a lab: making one, talking to its holder, running commands on its nodes.

Blocking and without asyncio. Every wait has a limit; a holder that is gone is a UserError, and so is everything it
refuses.
"""

import contextlib
import io
import itertools
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import hepto
from hepto.errors import ExitCode, UserError
from hepto.lab import channel, spec, state
from hepto.lab.channel import Frame

START_LIMIT = 60.0
"""Seconds until a holder must have its network and machines."""
DOWN_LIMIT = 20.0
EXEC_LIMIT = 300.0


@dataclass(frozen=True)
class Completed:
    """What a command on a node gave."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text, without the last newline."""
        return self.stdout.decode(errors="replace").rstrip("\n")


class LabClient:
    """A connection to the holder of a living lab."""

    def __init__(self, where: state.Place) -> None:
        self.where = where
        self._numbers = itertools.count(1)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._decoder = channel.Decoder()
        self._waiting: list[Frame] = []
        try:
            with state.short_path(where.directory / state.SOCKET) as path:
                self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise UserError(
                f"there is no lab {where.name!r}", "hepto lab up  makes one", ExitCode.UNREACHABLE
            ) from None

    def __enter__(self) -> "LabClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection and with it all that was asked for."""
        self._socket.close()

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def send(self, verb: str, **fields: Any) -> int:
        """Send a request; its number."""
        number = next(self._numbers)
        try:
            data = channel.encode({"id": number, "verb": verb, **fields})
        except ValueError as error:
            raise UserError(f"the request is too large: {error}", "send less on standard input") from None
        self._socket.sendall(data)
        return number

    def receive(self, timeout: float | None = None) -> Frame:
        """The next frame of any request. Raises TimeoutError, and UserError when the holder is gone."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._waiting:
            self._socket.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
            data = self._socket.recv(65536)
            if not data:
                raise UserError("the lab has ended", "hepto lab up  makes a new one", ExitCode.UNREACHABLE)
            self._waiting += self._decoder.feed(data)
        return self._waiting.pop(0)

    def readable(self) -> bool:
        """True if `receive` would not wait."""
        return bool(self._waiting) or bool(select.select([self._socket], [], [], 0)[0])

    def answers(self, number: int, timeout: float | None = None) -> Iterator[Frame]:
        """The stream frames of one request, then its last frame.

        Raises UserError for `error` and TimeoutError when all takes too long.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            frame = self.receive(None if deadline is None else max(0.001, deadline - time.monotonic()))
            if frame.get("id") != number:
                continue  # the rest of a request that was given up
            if "error" in frame:
                raise UserError(str(frame["error"]), str(frame.get("hint") or "hepto lab status  shows more"))
            yield frame
            if "exit" in frame:
                return

    def snapshot(self) -> dict[str, Any]:
        """The lab as the holder sees it."""
        frames = list(self.answers(self.send("lab"), 30))
        value: dict[str, Any] = json.loads(channel.unpack(frames[0]))
        return value

    def node_state(self, node: str) -> dict[str, Any]:
        """One node of the snapshot. Raises UserError."""
        for item in self.snapshot()["nodes"]:
            if item["name"] == node:
                found: dict[str, Any] = item
                return found
        raise UserError(f"lab {self.where.name} has no node {node!r}", "hepto lab status  names them")

    def wait_for(self, node: str, condition: Callable[[dict[str, Any]], bool], timeout: float) -> dict[str, Any]:
        """Wait until the holder's view of `node` fulfils `condition`. Raises TimeoutError."""
        number = self.send("events")
        try:
            for frame in self.answers(number, timeout):
                for item in json.loads(channel.unpack(frame))["nodes"]:
                    if item["name"] == node and condition(item):
                        found: dict[str, Any] = item
                        return found
        finally:
            self.send("cancel", target=number)
        raise AssertionError("events end only by an exception")

    def power(self, node: str, action: str) -> None:
        """`on`, `off`, `reset` or `button`."""
        for _ in self.answers(self.send("power", node=node, action=action), 30):
            pass

    def fault(self, kind: str, **fields: Any) -> None:
        """What hepto.lab.faults knows, with its fields. Raises UserError."""
        for _ in self.answers(self.send("fault", kind=kind, **fields), 30):
            pass

    def request(self, where: str, argv: tuple[str, ...], stdin: bytes = b"", timeout: float = EXEC_LIMIT) -> int:
        """Start a command on a node, on the router or on the outer host; the number of the request."""
        if len(stdin) > channel.MAX_STDIN:
            raise UserError(
                f"{len(stdin)} bytes of standard input do not fit through the lab channel",
                f"send at most {channel.MAX_STDIN} bytes at once",
                ExitCode.USAGE,
            )
        packed = channel.pack(stdin) if stdin else None
        if where in spec.RESERVED:
            return self.send("host", where=where, argv=list(argv), stdin=packed)
        command = {"verb": "exec", "argv": list(argv), "stdin": packed, "timeout": timeout}
        return self.send("guest", node=where, request=command)

    def stream(
        self,
        where: str,
        argv: tuple[str, ...],
        stdin: bytes = b"",
        *,
        stdout: BinaryIO,
        stderr: BinaryIO,
        timeout: float | None = None,
    ) -> int:
        """Run a command and pass its output on as it comes; its exit status."""
        number = self.request(where, argv, stdin, timeout or EXEC_LIMIT)
        return self.copy(number, stdout, stderr, None if timeout is None else timeout + 10)

    def copy(self, number: int, stdout: BinaryIO, stderr: BinaryIO, timeout: float | None = None) -> int:
        """Pass the output of a request on; its exit status."""
        status = 0
        for frame in self.answers(number, timeout):
            if "exit" in frame:
                status = int(frame["exit"])
                continue
            target = stderr if frame["stream"] == "stderr" else stdout
            target.write(channel.unpack(frame))
            target.flush()
        return status

    def run(self, where: str, *argv: str, stdin: bytes = b"", timeout: float = EXEC_LIMIT) -> Completed:
        """Run a command to its end on a node, `router` or `outside`. Raises UserError and TimeoutError."""
        stdout, stderr = io.BytesIO(), io.BytesIO()
        status = self.stream(where, argv, stdin, stdout=stdout, stderr=stderr, timeout=timeout)
        return Completed(status, stdout.getvalue(), stderr.getvalue())

    def read(self, node: str, path: str, timeout: float = 30) -> bytes:
        """A file of a node. Raises UserError."""
        number = self.send("guest", node=node, request={"verb": "read", "path": path})
        return b"".join(channel.unpack(frame) for frame in self.answers(number, timeout) if "stream" in frame)

    def down(self, graceful: bool = False) -> None:
        """End the lab and wait until nothing of it is left. Raises UserError."""
        with contextlib.suppress(UserError):  # "has ended" may overtake the answer
            for _ in self.answers(self.send("down", graceful=graceful), 120):
                pass
        wait_until(lambda: not state.alive(self.where), DOWN_LIMIT, f"lab {self.where.name} to end")


def make(lab: spec.Lab, where: state.Place) -> "Leash":
    """Start keeper and holder. The lab ends with the returned leash unless `keep` is called on it. Raises UserError."""
    state.sweep()
    ours, theirs = socket.socketpair()
    with theirs:
        where.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # setsid forks: the keeper is nobody's child but init's, so who makes labs and lives on has no zombies.
        keeper = ("setsid", "--fork", sys.executable, "-m", "hepto.lab.keeper")
        subprocess.run(
            [*keeper, str(where.directory), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            check=True,
            # The package need not be installed: `python -m hepto` in a checkout is enough.
            env={**os.environ, "PYTHONPATH": _search_path()},
        )
    leash = Leash(ours, where)
    try:
        leash.begin(lab)
    except BaseException:
        leash.break_off()
        raise
    return leash


class Leash:
    """The tie between a command and the lab that it makes."""

    def __init__(self, end: socket.socket, where: state.Place) -> None:
        self._end = end
        self._taken = False
        """The name belongs to another lab."""
        self._where = where

    def begin(self, lab: spec.Lab) -> None:
        """Hand the specification over and wait until the holder is ready. Raises UserError."""
        self._end.settimeout(START_LIMIT)
        answer = b""
        try:
            self._end.sendall(spec.dump(lab))
            while not answer.endswith(b"\n") and (piece := self._end.recv(65536)):
                answer += piece
        except TimeoutError:
            raise UserError(
                f"the lab's holder was not ready within {START_LIMIT:.0f} s", "try again; see `hepto lab up --debug`"
            ) from None
        except ConnectionError:
            pass
        reply = json.loads(answer or b'{"failed": "it was killed"}')
        if "failed" in reply:
            raise UserError(f"the lab's holder has ended at once: {reply['failed']}", _namespaces_hint())
        if "taken" in reply:
            self._taken = True
            raise UserError(str(reply["taken"]), "hepto lab status  shows it, hepto lab down  ends it")
        if "error" in reply:
            raise UserError(str(reply["error"]), str(reply.get("hint") or "hepto lab status  shows what is there"))

    def keep(self) -> None:
        """From now on the lab lives without us."""
        self._end.sendall(b"keep")
        self._end.close()

    def break_off(self) -> None:
        """End the lab and wait until nothing is left."""
        self._end.close()
        if self._taken:
            return
        with contextlib.suppress(UserError):
            wait_until(lambda: not state.alive(self._where), DOWN_LIMIT, "the lab to end")


def _namespaces_hint() -> str:
    """What to do when the namespaces cannot be made; the usual case for who is not root."""
    for path, order in (
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "kernel.unprivileged_userns_clone=1"),
    ):
        with contextlib.suppress(OSError):
            if Path(path).read_text().strip() != order.rpartition("=")[2]:
                return f"allow user namespaces (as root: sysctl -w {order}), or run the lab as root"
    if os.getuid() != 0 and Path("/proc/sys/user/max_user_namespaces").read_text().strip() == "0":
        return "allow user namespaces (as root: sysctl -w user.max_user_namespaces=10000), or run the lab as root"
    return "a lab needs network, mount and process namespaces: run it as root, or where user namespaces are allowed"


def _search_path() -> str:
    ours = str(Path(hepto.__path__[0]).parent)
    return os.pathsep.join(filter(None, (ours, os.environ.get("PYTHONPATH"))))


def wait_until(condition: Callable[[], bool], timeout: float, what: str, interval: float = 0.05) -> None:
    """Wait for something that tells nobody when it happens. Raises UserError."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise UserError(f"waited {timeout:.0f} s for {what}", "try again; if it stays so, report it")
        select.select([], [], [], interval)
