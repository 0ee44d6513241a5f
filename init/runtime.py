"""What PID 1 keeps open below /run/hepto, and how it goes over an exec: directories, FIFOs, the two sockets, the watch.

Promises: opened as soon as /run is mounted, or taken over from the generation before; over an exec exactly the
descriptors that the next generation is told of lose close-on-exec.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

from init import linux
from init.contract import paths
from init.control import Control
from init.directory import Directory
from init.fifos import OWN, Fifos, goes_over_exec, keep_over_exec
from init.handover import FIFO, Handover
from init.poller import Poller

DIRECTORIES = (
    (paths.RUN, 0o755),
    (paths.SERVICES, 0o700),
    (paths.STATUS, 0o755),
    (paths.FIFOS, 0o700),
    (paths.DEATHS, 0o700),
    (paths.ETC, 0o755),
)


class Runtime:
    """`notified` is called when the notify socket has something."""

    def __init__(self, root: str, poller: Poller, control: Control, notified: Callable[[linux.Socket], None]):
        self._root, self._poller, self._control, self._notified = root, poller, control, notified
        self.fifos = Fifos(root + paths.FIFOS)
        self.directory = Directory(root + paths.SERVICES)
        self._notify: linux.Socket | None = None
        self._kept: dict[str, int] = {}

    def adopt(self, descriptors: Mapping[str, int]) -> None:
        """Remember what came over exec, for `open`. May be repeated."""
        self._kept = dict(descriptors)
        self.fifos.adopt({name[len(FIFO) :]: at for name, at in descriptors.items() if name.startswith(FIFO)})

    def settle(self, others: Iterable[int]) -> None:
        """All that came over exec is in use: from now on no child gets any of it, and no next try. May be repeated.

        What neither a FIFO nor one of `others` is open by is closed: sockets, of which `open` has its own copies, and
        what a handover that made no sense has not told of. A client would wait at such a socket for ever.
        """
        known = {*self.fifos.descriptors().values(), *others}
        for name in os.listdir("/proc/self/fd"):
            descriptor = int(name)
            if descriptor > 2 and goes_over_exec(descriptor):  # what this generation has opened does not
                if descriptor in known:
                    keep_over_exec(descriptor, False)
                else:
                    os.close(descriptor)

    @property
    def opened(self) -> bool:
        """True once all is open."""
        return self._control.descriptor >= 0

    def open(self) -> bool:
        """Open everything if it is not and /run is there; a test's root always is. True if that was done now."""
        if self.opened or not (self._root or os.path.ismount("/run")):
            return False
        for directory, mode in DIRECTORIES:
            os.makedirs(self._root + directory, mode, exist_ok=True)
        self.fifos.ensure(OWN)
        if self._notify is None:
            notify = self._socket("notify", linux.notify_socket, self._root + paths.NOTIFY_SOCKET)
            self._poller.watch(notify.fileno(), lambda: self._notified(notify))
            self._notify = notify
        watch = self.directory.watch()
        self._poller.watch(watch, lambda: self._changed(watch))
        self._control.open(self._socket("control", linux.seqpacket_server, self._root + paths.INIT_SOCKET))
        return True

    def _socket(self, name: str, make: Callable[[str], linux.Socket], path: str) -> linux.Socket:
        """The one that came over exec, if it did and is any good; else a new one."""
        if name in self._kept:
            try:
                return linux.adopt_socket(self._kept[name])
            except OSError:
                pass
        return make(path)

    def _changed(self, watch: int) -> None:
        linux.drain(watch)
        self.directory.look_now()

    def descriptors(self) -> dict[str, int]:
        """All that goes over an exec, by name."""
        found = {FIFO + name: descriptor for name, descriptor in self.fifos.descriptors().items()}
        if self._notify is not None:
            found["notify"] = self._notify.fileno()
        if self.opened:
            found["control"] = self._control.descriptor
        return found


def execute(program: tuple[str, ...], handover: Handover) -> NoReturn:
    """Execute PID 1 anew. Raises OSError when that cannot be; then all is as before."""
    memory = handover.write()
    kept = (memory, *handover.descriptors.values())
    try:
        for descriptor in kept:
            keep_over_exec(descriptor, True)
        os.execv(program[0], [*program, f"resume={memory}"])
    except BaseException:
        for descriptor in kept:
            keep_over_exec(descriptor, False)
        os.close(memory)
        raise
