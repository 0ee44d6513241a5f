"""Disks as power cuts leave them, made of a write log. Cuts come in the order of their positions."""

import os
from pathlib import Path

from bench.writelog import Cut, WriteLog
from hepto.lab import sparse


class Replay:
    """A disk of `size` bytes that began blank. `directory` holds the part of the log that no later cut can undo."""

    def __init__(self, log: WriteLog, size: int, directory: Path) -> None:
        self._log = log
        self._base = directory / "flushed.raw"
        self._applied = 0
        with self._base.open("wb") as file:
            file.truncate(size)

    def disk(self, cut: Cut, target: Path) -> None:
        """Make the file `target` the disk after `cut`. Raises OSError."""
        assert cut.flushed >= self._applied, "cuts come in the order of their positions"
        with self._base.open("r+b") as file:
            for entry in self._log.entries[self._applied : cut.flushed]:
                if entry.writes:
                    for place, data in self._log.data(entry, entry.start, entry.end):
                        sparse.write(file.fileno(), place, data)
        self._applied = cut.flushed
        with target.open("w+b") as file:
            sparse.copy(self._base, file.fileno())
            for patch in cut.patches:
                for place, data in self._log.data(self._log.entries[patch.entry], patch.start, patch.end):
                    sparse.write(file.fileno(), place, data)
            os.truncate(target, self._base.stat().st_size)
