"""What the processes of a cluster cost, from /proc."""

import math
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
USER_TICKS, SYSTEM_TICKS = 11, 12  # counted behind the command's name (proc_pid_stat(5))


def cpu_ticks(stat: str) -> int:
    """User and system time from the text of /proc/PID/stat; the command's name may have blanks and brackets in it."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[USER_TICKS]) + int(fields[SYSTEM_TICKS])


def proportional_kibibytes(rollup: str) -> int:
    """PSS from the text of /proc/PID/smaps_rollup."""
    found = PSS.search(rollup)
    return int(found[1]) if found else 0


def cpu_seconds(pids: Collection[int]) -> dict[int, float]:
    """Processor time of each so far."""
    second = os.sysconf("SC_CLK_TCK")
    return {pid: cpu_ticks(Path(f"/proc/{pid}/stat").read_text()) / second for pid in pids}


def memory_mebibytes(pids: Collection[int]) -> float:
    """The mean PSS of these processes."""
    return sum(proportional_kibibytes(Path(f"/proc/{pid}/smaps_rollup").read_text()) for pid in pids) / 1024 / len(pids)


def mean_growth(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """How much the values of those that are in both have grown, on average; not a number if there are none."""
    both = before.keys() & after.keys()
    return sum(after[pid] - before[pid] for pid in both) / len(both) if both else math.nan
