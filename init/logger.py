"""The sub-program `pid1 logger`: moves what services write into their FIFOs to rings of files (init.logring).

It holds no log bytes: they go from FIFO to file inside the kernel (splice), so killing it at any instant loses nothing,
and a new one goes on where the files end. PID 1 keeps both ends of every FIFO open. The rings lie in memory until the
node's data directory is named (a link made by init.binds), then there. A ring that cannot be written (disk full, I/O
error) first gives up its oldest part; then bytes are dropped and counted, since a service must never be stopped by its
log.
"""

import contextlib
import os
import select
import signal
import stat
import time
from types import FrameType

from init import linux
from init.binds import NODE_LINK
from init.contract import paths
from init.logring import BELOW_NODE, IN_MEMORY, ON_DISK, Ring, plain, segments

BOOT_ID = "/proc/sys/kernel/random/boot_id"
FINAL_ROUNDS = 64
"""Pieces taken from each FIFO at the end; a service that still writes must not keep the logger."""


class Logger:
    """Waits for FIFOs, bytes and the node's directory. `run` returns when `stop` was called."""

    def __init__(self, fifos: str = paths.FIFOS, volatile: str = paths.VOLATILE_LOGS, node: str = NODE_LINK):
        self._fifos, self._volatile, self._node = fifos, volatile, node
        self._boot = bytes.fromhex(_read(BOOT_ID).decode().strip().replace("-", ""))
        self._poll = select.epoll()
        self._names: dict[int, str] = {}
        self._rings: dict[str, Ring] = {}
        self._on_disk = False
        self._stop = False
        for directory in (fifos, volatile):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        changes = linux.IN_CREATE | linux.IN_MOVED_TO | linux.IN_DELETE
        self._watches = [linux.inotify(directory, changes) for directory in (fifos, os.path.dirname(node))]
        for watch in self._watches:
            self._poll.register(watch, select.EPOLLIN)

    def run(self, wake: int = -1) -> None:
        """Work until `stop`; `wake` is a descriptor that becomes readable with a signal."""
        if wake >= 0:
            self._poll.register(wake, select.EPOLLIN)
        self.look()
        while not self._stop:
            self.turn()
        self.finish()

    def stop(self) -> None:
        """End `run` after what the FIFOs hold now."""
        self._stop = True

    def turn(self, timeout: float | None = None) -> None:
        """Wait for something and do it."""
        for descriptor, _ in self._poll.poll(timeout):
            if descriptor in self._names:
                self._move(descriptor)
            elif descriptor in self._watches:
                linux.drain(descriptor)
                self.look()

    def finish(self) -> None:
        """Take what is in the FIFOs and close everything."""
        for descriptor in list(self._names):
            for _ in range(FINAL_ROUNDS):
                if not self._move(descriptor):
                    break
        for ring in self._rings.values():
            ring.close()
        for descriptor in (*self._names, *self._watches):
            os.close(descriptor)
        self._poll.close()

    def look(self) -> None:
        """Find the node's directory, new FIFOs and those that are gone."""
        if not self._on_disk and os.path.isdir(self._node):
            self._settle()
        there = {name for name in os.listdir(self._fifos) if plain(name)}
        for descriptor, name in list(self._names.items()):
            if name not in there:
                self._forget(descriptor)
        for name in there - set(self._names.values()):
            self._open(name)

    def _open(self, name: str) -> None:
        with contextlib.suppress(OSError):  # gone again
            descriptor = os.open(f"{self._fifos}/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                return
            self._names[descriptor] = name
            self._poll.register(descriptor, select.EPOLLIN)

    def _forget(self, descriptor: int) -> None:
        while self._move(descriptor):
            pass
        self._poll.unregister(descriptor)
        os.close(descriptor)
        name = self._names.pop(descriptor)
        self._rings.pop(name).close() if name in self._rings else None

    def _settle(self) -> None:
        """Move from memory to the node's directory. Where that fails, the service's log stays in memory until the next
        start."""
        for ring in self._rings.values():
            ring.close()
        self._rings.clear()
        self._on_disk = True
        with contextlib.suppress(OSError):
            for name in filter(plain, os.listdir(self._volatile)):
                for segment in segments(f"{self._volatile}/{name}"):
                    self._ring(name).adopt(segment)

    def _ring(self, name: str) -> Ring:
        if name not in self._rings:
            place = f"{self._node}/{BELOW_NODE}" if self._on_disk else self._volatile
            try:
                self._rings[name] = Ring(f"{place}/{name}", self._boot, ON_DISK if self._on_disk else IN_MEMORY)
            except OSError:
                self._rings[name] = Ring(f"{self._volatile}/{name}", self._boot, IN_MEMORY)
        return self._rings[name]

    def _move(self, descriptor: int) -> int:
        """Move one piece. Returns its length, 0 when the FIFO is empty."""
        ring = self._ring(self._names[descriptor])
        while True:
            try:
                return ring.take(descriptor, time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))
            except BlockingIOError:
                return 0
            except OSError:
                ring.close()
                if not linux.bytes_in(descriptor):
                    return 0
                if ring.shrink():
                    continue
            with contextlib.suppress(OSError):
                return ring.drop(descriptor)
            return 0


def main(fifos: str = paths.FIFOS, volatile: str = paths.VOLATILE_LOGS, node: str = NODE_LINK) -> int:
    """Entry point of `pid1 logger`."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    logger = Logger(fifos, volatile, node)

    def end(_number: int, _frame: FrameType | None) -> None:
        logger.stop()

    # The handler runs between two bytecodes; the pipe is what wakes epoll, which Python would restart by itself.
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    logger.run(read)
    return 0


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
