"""The sub-program `pid1 logger`: moves what services write into their FIFOs to rings of files (init.logring), and the
kernel's messages to one more.

It holds no log bytes: they go from FIFO to file inside the kernel (splice), so killing it at any instant loses nothing,
and a new one goes on where the files end. PID 1 keeps both ends of every FIFO open. The rings lie in memory until the
node's data directory is named (a link made by init.binds), then there. A ring that cannot be written (disk full, I/O
error) first gives up its oldest part, then goes on in memory, and comes back when the disk takes it again; what nobody
takes is dropped and counted, since a service must never be stopped by its log.
"""

import contextlib
import errno
import os
import select
import signal
import stat
import time
from types import FrameType

from init import kernellog, linux, logread
from init.contract import paths
from init.evidence import Evidence
from init.logring import BELOW_NODE, IN_MEMORY, ON_DISK, Ring, boot_id, plain, segments

LISTEN_AFTER = 10.0
"""Seconds until the kernel's messages are taken: a boot has better things to do, and the kernel keeps them."""
DISK_AGAIN = 30.0
"""Seconds after which a disk that took no log is tried again."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""What giving up a part of a log helps against."""
FINAL_ROUNDS = 64
"""Pieces taken from each FIFO at the end; a service that still writes must not keep the logger."""


class Logger:
    """Waits for FIFOs, bytes and the node's directory. `run` returns when `stop` was called."""

    def __init__(self, root: str = "", kernel: int = -1, console: str = "/dev/console"):
        """`root` prefixes every path in tests, `kernel` is the descriptor of /dev/kmsg, -1 where there is none."""
        self._fifos, self._volatile = root + paths.FIFOS, root + paths.VOLATILE_LOGS
        self._node = root + paths.NODE
        self._boot = boot_id()
        self._poll = select.epoll()
        self._names: dict[int, str] = {}
        self._rings: dict[str, Ring] = {}
        self._kernel, self._messages = kernel, kernellog.KernelLog(kernel)
        self._evidence = Evidence(root, logread.places(self._volatile, self._node), console)
        self._listening = False
        self._on_disk = False
        self._settle_at: float | None = None
        self._stop = False
        for directory in (self._fifos, self._volatile, root + paths.DEATHS):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        changes = linux.IN_CREATE | linux.IN_MOVED_TO | linux.IN_DELETE
        watched = (self._fifos, root + paths.DEATHS, os.path.dirname(self._node))
        self._watches = [linux.inotify(directory, changes) for directory in watched]
        for watch in self._watches:
            self._poll.register(watch, select.EPOLLIN)

    def run(self, wake: int = -1) -> None:
        """Work until `stop`; `wake` is a descriptor that becomes readable with a signal."""
        if wake >= 0:
            self._poll.register(wake, select.EPOLLIN)
        self.look()
        listen_at = linux.now() + LISTEN_AFTER
        while not self._stop:
            if not self._listening and linux.now() >= listen_at:
                self.listen()
            if self._settle_at is not None and linux.now() >= self._settle_at:
                self.try_disk()
            times = [self._evidence.deadline(), None if self._listening else listen_at, self._settle_at]
            due = [at for at in times if at is not None]
            self.turn(max(0.0, min(due) - linux.now()) if due else None)
        self.finish()

    def listen(self) -> None:
        """Take the kernel's messages from now on, from where the logger before has ended."""
        self._listening = True
        if self._kernel >= 0:
            self._messages = kernellog.KernelLog(self._kernel, self._ring(paths.KERNEL_LOG).last_number())
            self._poll.register(self._kernel, select.EPOLLIN)

    def stop(self) -> None:
        """End `run` after what the FIFOs hold now."""
        self._stop = True

    def turn(self, timeout: float | None = None) -> None:
        """Wait for something and do it."""
        for descriptor, _ in self._poll.poll(timeout):
            if descriptor in self._names:
                self._move(descriptor)
            elif descriptor == self._kernel:
                self._hear()
            elif descriptor == self._evidence.child:
                self._poll.unregister(descriptor)
                self._evidence.ended(linux.now())
            elif descriptor in self._watches:
                linux.drain(descriptor)
                self.look()
                self._evidence.stir()
        before = self._evidence.child
        self._evidence.tend(linux.now(), self._empty)
        if self._evidence.child != before:
            self._poll.register(self._evidence.child, select.EPOLLIN)

    def finish(self) -> None:
        """Take what is in the FIFOs and close everything."""
        self._empty(list(self._names.values()))
        if not self._listening:
            self.listen()
        for _ in range(FINAL_ROUNDS):
            if self._kernel < 0 or not self._hear():
                break
        for ring in self._rings.values():
            ring.close()
        for descriptor in (*self._names, *self._watches, *([self._kernel] if self._kernel >= 0 else [])):
            os.close(descriptor)
        self._poll.close()
        self._evidence.finish(linux.now())

    def _empty(self, names: list[str]) -> None:
        """Take what is in these FIFOs, if it has an end."""
        for descriptor, name in list(self._names.items()):
            for _ in range(FINAL_ROUNDS if name in names else 0):
                if not self._move(descriptor):
                    break

    def look(self) -> None:
        """Find the node's directory, new FIFOs and those that are gone."""
        if not self._on_disk and os.path.isdir(self._node):
            self.try_disk()
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

    def try_disk(self) -> None:
        """Move from memory to the node's directory. Where that fails logs stay in memory, and it is tried again."""
        for ring in self._rings.values():
            ring.close()
        self._rings.clear()
        self._on_disk, self._settle_at = True, None
        try:
            for name in filter(plain, os.listdir(self._volatile)):
                for segment in segments(f"{self._volatile}/{name}"):
                    self._ring(name).adopt(segment)
        except OSError:
            self._settle_at = linux.now() + DISK_AGAIN

    def _fall_back(self, name: str) -> Ring | None:
        """The ring in memory of a service whose log the disk does not take; None if it is there already."""
        if not self._on_disk or self._rings[name].directory.startswith(f"{self._volatile}/"):
            return None
        self._settle_at = self._settle_at or linux.now() + DISK_AGAIN
        with contextlib.suppress(OSError):
            ring = self._rings[name] = Ring(f"{self._volatile}/{name}", self._boot, IN_MEMORY)
            return ring
        return None

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
        name = self._names[descriptor]
        ring, again = self._ring(name), True
        while True:
            try:
                return ring.take(descriptor, time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))
            except BlockingIOError:
                return 0
            except OSError as error:
                ring.close()
                if not linux.bytes_in(descriptor):
                    return 0
                if again:  # descriptors or memory may lack for a moment only
                    again = False
                    continue
                if error.errno in NO_ROOM and ring.shrink():
                    continue
                if other := self._fall_back(name):
                    ring = other
                    continue
            with contextlib.suppress(OSError):
                return ring.drop(descriptor)
            return 0

    def _hear(self) -> bool:
        """Write a batch of what the kernel says. False if it says nothing."""
        ring, heard = self._ring(paths.KERNEL_LOG), False
        for entry in self._messages.read():
            heard = True
            while True:
                try:
                    ring.put(*entry)
                except OSError as error:
                    ring.close()
                    if error.errno in NO_ROOM and ring.shrink():
                        continue
                    if other := self._fall_back(paths.KERNEL_LOG):
                        ring = other
                        continue
                    ring.count(len(entry.data))
                break
        return heard


def main(root: str = "", kernel: str = kernellog.DEVICE, console: str = "/dev/console") -> int:
    """Entry point of `pid1 logger`."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    logger = Logger(root, kernellog.open_device(kernel), console)

    def end(_number: int, _frame: FrameType | None) -> None:
        logger.stop()

    # The handler runs between two bytecodes; the pipe is what wakes epoll, which Python would restart by itself.
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    logger.run(read)
    return 0
