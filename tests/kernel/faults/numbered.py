"""Numbered log lines: a service that writes them and notes what it has written, and the look whether all have come.

The service notes a line behind its write, in a file of its own that no fault touches: so a line that is noted was
written. Each of its lives has a number; its lines are `LIFE NUMBER`. Lost is what is neither in the ring nor counted
there as overwritten or dropped.
"""

import struct
from pathlib import Path

from init.contract import crash
from init.logring import dropped, segments

MARK = crash.MARK.encode()
NOTE = struct.Struct("<QQ")
"""One life's entry in the notes: its number, and how many lines it has written."""
PROGRAM = """
import os, struct, select, sys
notes = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
life = os.fstat(notes).st_size // 16
os.pwrite(notes, struct.pack("<QQ", life, 0), life * 16)
pause = float(sys.argv[2])
exec(sys.argv[3])
number = 0
while True:
    os.write(1, b"%d %d\\n" % (life, number))
    number += 1
    os.pwrite(notes, struct.pack("<QQ", life, number), life * 16)
    select.select([], [], [], pause)
"""
"""Its arguments: the file of notes, seconds between two lines, and Python to be run before the first."""


class Lines:
    """What has come of one service's lines, read on from where the last look ended."""

    def __init__(self, ring: Path, notes: Path):
        self._ring, self._notes = ring, notes
        self._at = 0
        self._rest = b""
        self._next: dict[int, int] = {}
        """The number that follows in each life."""
        self.wrong: list[str] = []
        """Lines that are not the ones that had to come: after a gap, twice, or torn."""
        self.deaths = 0
        """How many PID 1 has marked among them."""

    def look(self) -> None:
        """Read what is new. What was overwritten before it was read is a gap that is counted, so not wrong."""
        for segment in segments(str(self._ring)):
            data = Path(segment.data_file).read_bytes()
            if segment.start + len(data) <= self._at:
                continue
            assert segment.start <= self._at, "the ring went round between two looks: look more often"
            self._take(data[self._at - segment.start :])
            self._at = segment.start + len(data)

    def written(self) -> dict[int, int]:
        """How many lines each life has written, at least."""
        try:
            return dict(NOTE.iter_unpack(self._notes.read_bytes()))
        except FileNotFoundError:
            return {}

    def have_come(self, written: dict[int, int]) -> bool:
        """True if all of these, from `written`, are in the ring by now."""
        self.look()
        return all(self._next.get(life, 0) >= number for life, number in written.items())

    def missing(self, written: dict[int, int]) -> int:
        """How many of these, from `written`, have not come."""
        return sum(max(0, number - self._next.get(life, 0)) for life, number in written.items())

    def counted(self) -> int:
        """Bytes that the ring counts as lost."""
        return dropped(str(self._ring))

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(MARK):
                self.deaths += 1
                continue
            try:
                life, number = map(int, line.split())
            except ValueError:
                self.wrong.append(repr(line))
                continue
            if number != self._next.get(life, 0):
                self.wrong.append(f"{line.decode()} instead of {life} {self._next.get(life, 0)}")
            self._next[life] = number + 1
