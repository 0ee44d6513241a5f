"""What the lab's channel does for its host: run a program, read a file, follow a log. Each is a job that gives frames
in pieces.

A job never waits: `step` does what can be done now and returns frames; the channel calls it when one of `descriptors`
is ready or `deadline` has come, and only while there is room for more output. That is all the flow control: a program
whose output nobody takes blocks on its pipe, as it would on a terminal.
"""

import contextlib
import os
import select
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator

from init import frames, linux, logread
from init.frames import Frame

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": "linux"}
FOLLOW = 0.2
"""Seconds between two looks at a log's end."""
AFTER_EXIT = 0.5
"""Seconds for what is still in the pipes of a program that has ended: something it left running may keep them open."""


class Job(ABC):
    """One request under way."""

    def __init__(self, number: int):
        self.number = number
        self.done = False
        self.deadline: float | None = None
        self.unreaped = 0
        """A process that was killed and has not been waited for."""

    @property
    def descriptors(self) -> dict[int, int]:
        """What to wait for: descriptor and poll events."""
        return {}

    @property
    def eager(self) -> bool:
        """It can go on at once."""
        return False

    @abstractmethod
    def step(self, now: float) -> Iterator[Frame]:
        """Do what can be done now."""

    @abstractmethod
    def cancel(self) -> None:
        """End it without an answer. Calling it again, or when it is done, does nothing."""

    def stream(self, name: str, data: bytes) -> Frame:
        """A piece of output."""
        return {"id": self.number, "stream": name, "data": frames.pack(data)}

    def finish(self, code: int) -> Frame:
        """The last frame."""
        self.done = True
        return {"id": self.number, "exit": code}

    def fail(self, text: str) -> Frame:
        """The last frame of what could not be done."""
        self.done = True
        return {"id": self.number, "error": text}


class Execute(Job):
    """A program with pipes, leading a session of its own. Raises OSError when it cannot be started."""

    def __init__(self, number: int, argv: list[str], stdin: bytes, timeout: float | None, now: float):
        super().__init__(number)
        self._stdin = memoryview(stdin)
        self._timeout = timeout
        self._give_up = now + timeout if timeout is not None else None
        self._code: int | None = None
        child_in, self._in = os.pipe2(os.O_CLOEXEC)
        outputs = {name: os.pipe2(os.O_CLOEXEC) for name in ("stdout", "stderr")}
        self._out = {read: name for name, (read, _) in outputs.items()}
        self._pidfd = -1
        try:
            actions = [(os.POSIX_SPAWN_DUP2, child_in, 0)]
            for target, (_, write) in enumerate(outputs.values(), 1):
                actions.append((os.POSIX_SPAWN_DUP2, write, target))
            self._pid = os.posix_spawn(
                program(argv[0]),
                argv,
                ENVIRONMENT,
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=linux.PERHAPS_IGNORED,
            )
            self._pidfd = os.pidfd_open(self._pid)
        except BaseException:
            self._close()
            raise
        finally:
            for descriptor in (child_in, *(write for _, write in outputs.values())):
                os.close(descriptor)
        for descriptor in (self._in, *self._out):
            os.set_blocking(descriptor, False)
        self.deadline = self._give_up

    @property
    def descriptors(self) -> dict[int, int]:
        wanted = dict.fromkeys(self._out, select.POLLIN)
        if self._pidfd >= 0 and self._code is None:
            wanted[self._pidfd] = select.POLLIN
        if self._in >= 0:
            wanted[self._in] = select.POLLOUT
        return wanted

    def step(self, now: float) -> Iterator[Frame]:
        self._feed()
        for descriptor, name in list(self._out.items()):
            with contextlib.suppress(BlockingIOError):
                if data := os.read(descriptor, frames.PIECE):
                    yield self.stream(name, data)
                else:
                    os.close(descriptor)
                    del self._out[descriptor]
        if self._code is None:
            self._reap(now)
        if self._code is None and self._give_up is not None and now >= self._give_up:
            self.cancel()
            yield self.fail(f"ended after {self._timeout:g} s")
        elif self._code is not None and (not self._out or (self.deadline is not None and now >= self.deadline)):
            self._close()
            yield self.finish(self._code)

    def cancel(self) -> None:
        if self._code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
            self._code = 128 + signal.SIGKILL
            self.unreaped = self._pid  # not waited for here: it may take long to die, as with a broken disk
        self._close()

    def _feed(self) -> None:
        if self._in < 0:
            return
        try:
            while self._stdin:
                self._stdin = self._stdin[os.write(self._in, self._stdin[: frames.PIECE]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            pass
        os.close(self._in)
        self._in = -1

    def _reap(self, now: float) -> None:
        ended = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        if ended is not None:
            self._code = ended.si_status if ended.si_code == os.CLD_EXITED else 128 + ended.si_status
            self.deadline = now + AFTER_EXIT

    def _close(self) -> None:
        for descriptor in (self._in, self._pidfd, *self._out):
            if descriptor >= 0:
                os.close(descriptor)
        self._in = self._pidfd = -1
        self._out.clear()


class Read(Job):
    """A file's content. Raises OSError."""

    def __init__(self, number: int, path: str):
        super().__init__(number)
        self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)

    @property
    def eager(self) -> bool:
        return not self.done

    def step(self, now: float) -> Iterator[Frame]:  # noqa: ARG002  the signature of all jobs
        try:
            data = os.read(self._file, frames.PIECE)
        except OSError as error:
            self.cancel()
            yield self.fail(error.strerror or str(error))
            return
        if data:
            yield self.stream("data", data)
        else:
            self.cancel()
            yield self.finish(0)

    def cancel(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Logs(Job):
    """A service's log, to its end or for ever."""

    def __init__(self, number: int, service: str, *, follow: bool):
        super().__init__(number)
        self._reader = logread.Reader(service)
        self._follow = follow
        self.deadline = 0.0

    @property
    def eager(self) -> bool:
        return not self.done and self.deadline is None

    def step(self, now: float) -> Iterator[Frame]:
        data = self._reader.read(frames.PIECE)
        self.deadline = None
        if data:
            yield self.stream("data", data)
        elif self._follow:
            self.deadline = now + FOLLOW
        else:
            yield self.finish(0)

    def cancel(self) -> None:
        pass


def program(name: str) -> str:
    """The path of a program; a name without a slash is looked up. Raises FileNotFoundError."""
    if "/" in name:
        return name
    for directory in PATH.split(":"):
        if os.access(path := f"{directory}/{name}", os.X_OK):
            return path
    raise FileNotFoundError(2, "no such program", name)
