"""Logs as the logger leaves them, each piece with the times and the boot that a test says."""

from pathlib import Path

from init.logring import Ring, Size
from tests.fakes.pipe import Pipe

PIPE = 32 * 1024
"""Less than any pipe holds."""


class LogWriter:
    """Plays the logger for any service; its rings lie on disk. `close` when done."""

    def __init__(self, root: Path):
        self.where = (str(root / "memory"), str(root / "disk"))
        self._pipe = Pipe()

    def write(self, service: str, data: bytes, boot_id: bytes, *, wall: float, boot: float) -> None:
        """The times are in seconds."""
        ring = Ring(f"{self.where[1]}/{service}", boot_id, Size(100_000, 3))
        for at in range(0, len(data), PIPE):
            self._pipe.put(data[at : at + PIPE])
            ring.take(self._pipe.read, round(wall * 1e9), round(boot * 1e9))
        ring.close()

    def close(self) -> None:
        self._pipe.close()
