"""systemd's notification protocol (sd_notify(3)) as far as readiness needs it: READY=1 from a service's main process.

Promises: only the sender that the kernel names counts; descriptors that come along are closed; what an unknown process
says is ignored (by the supervisor, which knows the main processes).
"""

from collections.abc import Callable
from typing import NamedTuple

from init import linux
from init.inbox import TRIES

BATCH = 64


class Notification(NamedTuple):
    """A message of a process: it is ready, or it is not any longer (RELOADING=1); its STATUS= text."""

    pid: int
    ready: bool | None
    text: str = ""


def parse(data: bytes, pid: int) -> Notification:
    """Read a message. Never raises: unknown lines mean nothing."""
    ready: bool | None = None
    text = ""
    for line in data.decode("utf-8", "replace").split("\n"):
        name, _, value = line.partition("=")
        if name == "READY" and value == "1":
            ready = True
        elif name == "RELOADING" and value == "1":
            ready = False
        elif name == "STATUS":
            text = value[:256]
    return Notification(pid, ready, text)


class Receiver:
    """Takes messages from the socket, each only when it has been handed on: what is raised on the way loses none."""

    def __init__(self, add: Callable[[Notification], None]):
        self._add = add
        self._tries = 0
        """How often the first message there was looked at and not handed on."""

    def receive(self, sock: linux.Socket) -> None:
        """What has arrived, at most `BATCH` so that a chatty service does not hold up the loop."""
        for _ in range(BATCH):
            self._tries += 1
            if self._tries <= TRIES:  # one that always raises must not hold up the others
                message = linux.receive_notification(sock, peek=True)
                if message is not None and message[1] is not None:
                    self._add(parse(message[0], message[1].pid))
            if linux.receive_notification(sock) is None:
                self._tries = 0
                return
            self._tries = 0
