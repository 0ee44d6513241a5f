"""The log FIFOs `/run/hepto/log/NAME`: made, opened read-write and kept by PID 1, so that neither end ever breaks.

Promises: a service or logger that restarts loses no line; a FIFO that stays full for `FULL` seconds is emptied, so that
no service stands still for want of a logger, and what was dropped is counted and said in the log itself. PID 1's own
lines go through the FIFO `init`.
"""

import errno
import fcntl
import os
import select
import stat
from collections.abc import Mapping

from init import linux

SIZE = 1 << 20
FULL = 5.0
OWN = "init"


class Fifos:
    """All FIFOs, by name."""

    def __init__(self, directory: str):
        self._directory = directory
        self._open: dict[str, int] = {}
        self._full_since: dict[str, float] = {}
        self._retired: set[str] = set()
        self.dropped: dict[str, int] = {}

    def path(self, name: str) -> str:
        """Where the FIFO of `name` is."""
        return f"{self._directory}/{name}"

    def ensure(self, name: str) -> str:
        """Make and open the FIFO of `name` if it is not; returns its path."""
        path = self.path(name)
        self._retired.discard(name)
        if name in self._open:
            if os.path.exists(path):
                return path
            os.close(
                self._open.pop(name)
            )  # somebody removed it: what has it open goes on, the next start gets a new one
        try:
            os.mkfifo(path, 0o600)
        except FileExistsError:
            if not stat.S_ISFIFO(os.lstat(path).st_mode):
                os.unlink(path)
                os.mkfifo(path, 0o600)
        self._open[name] = descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            linux.set_pipe_size(descriptor, SIZE)
        except OSError:
            pass  # over the user's limit in a namespace without privileges: 64 KiB has to do
        return path

    def adopt(self, descriptors: Mapping[str, int]) -> None:
        """Take over descriptors that came over exec."""
        self._open.update(descriptors)

    def descriptors(self) -> dict[str, int]:
        """All that are open, by name."""
        return dict(self._open)

    def own(self) -> int:
        """The descriptor of PID 1's own lines; -1 before there is one."""
        return self._open.get(OWN, -1)

    def write(self, text: str, name: str = OWN) -> None:
        """A line of PID 1's own, in its log or a service's. Never waits: what does not fit is counted."""
        data = text.encode(errors="replace") + b"\n"
        if name in self._open:
            self._put(name, data)

    def retire(self, name: str) -> None:
        """The service is gone: its FIFO goes when the logger has taken the rest."""
        if name in self._open:
            self._retired.add(name)

    def tick(self, now: float) -> None:
        """Empty what has been full for too long, drop what is retired and empty."""
        poll = select.poll()
        for descriptor in self._open.values():
            poll.register(descriptor, select.POLLOUT)
        free = {descriptor for descriptor, events in poll.poll(0) if events & select.POLLOUT}
        for name, descriptor in list(self._open.items()):
            if name in self._retired and not linux.bytes_in(descriptor):
                self._retired.discard(name)
                os.close(self._open.pop(name))
                os.unlink(self.path(name))
                self._full_since.pop(name, None)
            elif descriptor in free:
                self._full_since.pop(name, None)
            elif now - self._full_since.setdefault(name, now) >= FULL:
                del self._full_since[name]
                self._drain(name, descriptor)

    def deadline(self, now: float) -> float:
        """When `tick` is wanted: each second is enough to notice five."""
        return now + 1.0

    def _drain(self, name: str, descriptor: int) -> None:
        gone = 0
        while gone < SIZE:
            try:
                gone += len(os.read(descriptor, 65536))
            except BlockingIOError:
                break
        self.dropped[name] = self.dropped.get(name, 0) + gone
        self._put(name, f"hepto: {gone} bytes of log were dropped: nobody has read them for {FULL:.0f} s\n".encode())

    def _put(self, name: str, data: bytes) -> None:
        try:
            written = os.write(self._open[name], data)
        except BlockingIOError:
            written = 0
        if written < len(data):
            self.dropped[name] = self.dropped.get(name, 0) + len(data) - written


def goes_over_exec(descriptor: int) -> bool:
    """True if an exec would leave it open; False if it is closed already."""
    try:
        return not fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        return False


def keep_over_exec(descriptor: int, keep: bool) -> None:
    """Set or clear close-on-exec."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
    fcntl.fcntl(descriptor, fcntl.F_SETFD, flags & ~fcntl.FD_CLOEXEC if keep else flags | fcntl.FD_CLOEXEC)
