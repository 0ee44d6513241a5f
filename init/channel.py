"""The sub-program `pid1 lab`: serves the virtio-serial port `hepto.lab` to the host, which may do anything here.

Runs only with hepto.debug=lab. Frames of init.frames; any number of requests at once, answered as they come (the verbs
are in `Channel._request`). When the host goes away everything it asked for is ended; when it comes back it is greeted
anew (unless it was away for less than a moment, which the guest's kernel does not tell). Neither argv nor input nor
output is ever logged: they may hold secrets.
"""

import contextlib
import json
import os
import select
import sys
from typing import Any, ClassVar

from init import frames, linux
from init.channeljobs import Execute, Job, Logs, Read
from init.contract import paths
from init.logring import plain

PORTS = "/sys/class/virtio-ports"
GREETING = {"hello": 1}
ROOM = 256 * 1024
"""Bytes waiting for the host above which no job goes on."""
MAX_JOBS = 64
MAX_SECONDS = 86400


class Channel:
    """One open port. Call `turn` for ever; it raises OSError when the port is gone."""

    dying: ClassVar[set[int]] = set()
    """Processes that were killed and not yet waited for; they may outlive the channel that started them."""

    def __init__(self, port: int):
        self._port = port
        self._decoder = frames.Decoder()
        self._out = bytearray()
        self._jobs: dict[int, Job] = {}
        self._connected = False
        self._poll = select.epoll()
        # Edge-triggered: a port whose host is away reports a hang-up for ever, and its return is an edge.
        self._poll.register(port, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    @property
    def waiting(self) -> int:
        """Bytes that the host has not taken."""
        return len(self._out)

    def turn(self, timeout: float | None = None) -> None:
        """Wait for something, at most `timeout` seconds, and do it."""
        room = len(self._out) < ROOM
        watched = {descriptor: job for job in self._jobs.values() for descriptor in job.descriptors} if room else {}
        for descriptor, job in watched.items():
            self._poll.register(descriptor, job.descriptors[descriptor])
        try:
            events = self._poll.poll(self._patience(timeout, room=room))
        finally:
            for descriptor in watched:
                self._poll.unregister(descriptor)
        for descriptor, event in events:
            if descriptor == self._port:
                self._port_ready(event)
        ready = {watched[descriptor].number for descriptor, _ in events if descriptor in watched}
        self._work(ready)
        self._flush()

    def close(self) -> None:
        """End all jobs and let go of the port."""
        self._forget()
        self._poll.close()
        os.close(self._port)

    def _patience(self, timeout: float | None, *, room: bool) -> float | None:
        if room and any(job.eager for job in self._jobs.values()):
            return 0
        now = linux.now()
        times = [max(0.0, job.deadline - now) for job in self._jobs.values() if job.deadline is not None and room]
        return min([*times, *([] if timeout is None else [timeout])], default=None)

    def _work(self, ready: set[int]) -> None:
        """Let each job that can go on do so once, while there is room."""
        now = linux.now()
        for number, job in list(self._jobs.items()):
            if len(self._out) >= ROOM:
                break
            if number in ready or job.eager or (job.deadline is not None and job.deadline <= now):
                for frame in job.step(now):
                    self._send(frame)
                if job.done:
                    self._end(self._jobs.pop(number))
        self._reap()

    def _reap(self) -> None:
        for pid in list(self.dying):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG):
                self.dying.discard(pid)

    def _port_ready(self, event: int) -> None:
        if event & (select.EPOLLHUP | select.EPOLLERR):
            self._forget()
            return
        if not self._connected:
            self._connected = True
            self._send(GREETING)
        while True:
            try:
                data = os.read(self._port, 65536)
            except BlockingIOError:
                return
            if not data:
                return
            for frame in self._decoder.feed(data):
                self._answer(frame)

    def _forget(self) -> None:
        """The host is away: what it asked for is of no use to anybody."""
        for job in self._jobs.values():
            self._end(job)
        self._jobs.clear()
        self._out.clear()
        self._decoder = frames.Decoder()
        self._connected = False

    def _end(self, job: Job) -> None:
        job.cancel()
        if job.unreaped:
            self.dying.add(job.unreaped)

    def _answer(self, frame: frames.Frame) -> None:
        number = frame.get("id")
        if not isinstance(number, int) or isinstance(number, bool):
            self._send({"error": "a request needs an id, a whole number"})
            return
        try:
            self._request(number, frame)
        except (ValueError, OSError) as error:
            text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._send({"id": number, "error": text})

    def _request(self, number: int, frame: frames.Frame) -> None:
        """Begin what is asked for. Raises ValueError or OSError."""
        if number in self._jobs or len(self._jobs) >= MAX_JOBS:
            raise ValueError(f"this id is in use, or {MAX_JOBS} requests are under way")
        match frame:
            case {"verb": "exec", "argv": [str(), *_] as argv, **rest} if all(isinstance(item, str) for item in argv):
                stdin = frames.unpack(rest["stdin"]) if isinstance(rest.get("stdin"), str) else b""
                self._jobs[number] = Execute(number, argv, stdin, _seconds(rest.get("timeout")), linux.now())
            case {"verb": "read", "path": str(path)}:
                self._jobs[number] = Read(number, path)
            case {"verb": "logs", "service": str(service)} if plain(service):
                self._jobs[number] = Logs(number, service, follow=bool(frame.get("follow")))
            case {"verb": "status"}:
                self._reply(number, json.dumps(state()).encode())
            case {"verb": "cancel", "target": int(target)}:
                job = self._jobs.pop(target, None)
                if job is not None:
                    self._end(job)
                    self._send({"id": target, "error": "cancelled"})
                self._send({"id": number, "exit": 0 if job else 1})
            case _:
                raise ValueError("want exec (argv), read (path), logs (service), status or cancel (target)")

    def _reply(self, number: int, data: bytes) -> None:
        for at in range(0, len(data), frames.PIECE):
            self._send({"id": number, "stream": "data", "data": frames.pack(data[at : at + frames.PIECE])})
        self._send({"id": number, "exit": 0})

    def _send(self, frame: frames.Frame) -> None:
        self._out += frames.encode(frame)

    def _flush(self) -> None:
        while self._out:
            try:
                written = os.write(self._port, memoryview(self._out)[:32768])
            except BlockingIOError:
                return
            except OSError:
                if self._connected:
                    raise
                return
            del self._out[:written]


def _seconds(value: object) -> float | None:
    """A time limit; null or nothing is none. Raises ValueError."""
    if value is None:
        return None
    if isinstance(value, int | float) and 0 < value <= MAX_SECONDS:
        return float(value)
    raise ValueError(f"timeout: want seconds, at most {MAX_SECONDS}")


def state() -> dict[str, Any]:
    """Everything PID 1 says about itself: boot.json and the status files."""
    services = {}
    with contextlib.suppress(FileNotFoundError):
        for file in sorted(os.listdir(paths.STATUS)):
            name = file.removesuffix(".json")
            if plain(name):
                services[name] = _json(paths.status_file(name))
    return {"boot": _json(paths.BOOT), "services": services}


def find(name: str = paths.LAB_PORT, ports: str = PORTS) -> str | None:
    """The device of the virtio port of that name."""
    with contextlib.suppress(FileNotFoundError):
        for port in os.listdir(ports):
            with contextlib.suppress(OSError), open(f"{ports}/{port}/name", encoding="ascii") as file:
                if file.read().strip() == name:
                    return f"/dev/{port}"
    return None


def main() -> int:
    """Entry point of `pid1 lab`. Ends with 1 when there is no such port, to be started again."""
    device = find()
    if device is None:
        sys.stderr.write(f"no virtio-serial port is named {paths.LAB_PORT}\n")
        return 1
    while True:
        channel = Channel(os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC))
        try:
            while True:
                channel.turn()
        except frames.BadFrameError as error:
            sys.stderr.write(f"the host sent {error}; the port is opened anew\n")
        finally:
            channel.close()


def _json(path: str) -> Any:
    try:
        with open(path, "rb") as file:
            return json.loads(file.read())
    except (OSError, ValueError):
        return None
