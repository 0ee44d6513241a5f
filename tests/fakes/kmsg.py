"""/dev/kmsg as a program sees it: a read gives one record."""

import os
import socket


class Kmsg:
    """What the kernel says; `reader` is a descriptor of it. A reader that is opened anew begins with the oldest."""

    def __init__(self) -> None:
        self._records: list[bytes] = []
        self._socket: socket.socket | None = None

    def say(self, sequence: int, microseconds: int, text: str, priority: int = 6) -> None:
        """A record with a continuation line, as device drivers write them."""
        record = f"{priority},{sequence},{microseconds},-;{text}\n SUBSYSTEM=cpu\n".encode()
        self._records.append(record)
        if self._socket is not None:
            self._socket.send(record)

    def overwrite(self, count: int) -> None:
        """The oldest are gone."""
        del self._records[:count]

    def open(self) -> int:
        """A new reader's descriptor, which belongs to the caller."""
        if self._socket is not None:
            self._socket.close()
        self._socket, reader = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for record in self._records:
            self._socket.send(record)
        os.set_blocking(reader.fileno(), False)
        return reader.detach()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
