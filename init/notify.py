"""systemd's notification protocol (sd_notify(3)) as far as readiness needs it: READY=1 from a service's main process.

Promises: only the sender that the kernel names counts; descriptors that come along are closed; what an unknown process
says is ignored (by the supervisor, which knows the main processes).
"""

from typing import NamedTuple

from init import linux

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


def receive(sock: linux.Socket) -> list[Notification]:
    """The messages that have arrived, at most `BATCH` so that a chatty service does not hold up the loop."""
    found = []
    for _ in range(BATCH):
        message = linux.receive_notification(sock)
        if message is None:
            break
        data, sender = message
        if sender is not None:
            found.append(parse(data, sender.pid))
    return found
