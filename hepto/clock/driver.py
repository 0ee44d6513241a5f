"""Reads and sets the clock of the machine, and asks chronyd whether it has done so."""

import time

from hepto.clock import chrony
from hepto.clock.floor import Floor, step
from hepto.edge import process
from hepto.log import Log


def now() -> float:
    """Unix time as the machine has it."""
    return time.time()


def raise_to(floor: Floor) -> bool:
    """Set the clock forward to the floor if it is before it; True if it was. Raises OSError (host mode: not ours)."""
    wanted = step(time.time(), floor)
    if wanted is None:
        return False
    time.clock_settime(time.CLOCK_REALTIME, wanted)
    Log("clock").warning("clock was before the image's build or the last saved time, set forward", to=int(wanted))
    return True


async def synchronised() -> bool:
    """True if NTP has set the clock. False too while chronyd does not answer."""
    try:
        found = await process.run(("/usr/bin/chronyc", "-c", "-h", chrony.SOCKET, "tracking"), timeout=5.0)
    except OSError:
        return False
    return chrony.synchronised(found.stdout)
