"""Takes the kernel's uevents from their socket, in batches.

Promises: never waits; whatever is not handed on, because the socket ran over or an exception came in between, is told
as lost, so that whoever needs to know looks for itself.
"""

from collections.abc import Callable, Mapping

from init import linux

BATCH = 256

Told = Callable[[list[Mapping[str, str]], bool], None]


class Uevents:
    """`told(events, lost)` gets each batch."""

    def __init__(self, told: Told):
        self._told = told
        self._socket = linux.uevent_socket()
        self._lost = False

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def hear(self) -> None:
        """Take what has arrived."""
        events: list[Mapping[str, str]] = []
        lost, self._lost = self._lost, True
        for _ in range(BATCH):
            try:
                event = linux.receive_uevent(self._socket)
            except OSError:
                lost = True
                continue
            if event is None:
                break
            if event:
                events.append(event)
        self._told(events, lost)
        self._lost = False
