"""PID 1's part of logging: FIFOs, directories, and the link that names the node's directory."""

import os
from pathlib import Path

from init import logread
from init.logger import Logger


class Host:
    """FIFOs with both ends open; `close` when done."""

    def __init__(self, root: Path):
        self.root = root
        self.run, self.node = root / "run/hepto", root / "data/demo/one"
        (self.run / "log").mkdir(parents=True)
        self.where = (f"{self.run}/log.d", f"{self.run}/node/log/hepto")
        self._fifos: dict[str, int] = {}

    def logger(self, kernel: int = -1) -> Logger:
        return Logger(str(self.root), kernel, "/console")

    def fifo(self, name: str) -> None:
        path = self.run / "log" / name
        os.mkfifo(path)
        self._fifos[name] = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def write(self, name: str, data: bytes) -> None:
        assert os.write(self._fifos[name], data) == len(data)

    def remove(self, name: str) -> None:
        (self.run / "log" / name).unlink()
        os.close(self._fifos.pop(name))

    def name_the_node(self) -> None:
        self.node.mkdir(parents=True, exist_ok=True)
        (self.run / ".node").symlink_to(self.node)
        (self.run / ".node").rename(self.run / "node")

    def log(self, name: str) -> bytes:
        reader = logread.Reader(name, self.where)
        data = b""
        while part := reader.read():
            data += part
        return data

    def close(self) -> None:
        for descriptor in self._fifos.values():
            os.close(descriptor)
