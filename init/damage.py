"""A verified root that is found to be damaged while the system runs: said, and the machine halted.

The kernel answers each read of a block that does not match with an I/O error, and tells which it was by a uevent
(verity_handle_err in drivers/md/dm-verity-target.c). What could not be read may be anything from a log's rotation to
etcd, so nothing goes on by half; nor does the machine start again, for the disk stays as it is, and a person has to
write it. Where there is another slot stage 0 has ordered a restart of the kernel, and nothing of this happens.
"""

import os
import signal
from collections.abc import Iterable, Mapping

from init.boot import Task, Wait, Waiting, World
from init.contract.status import Reason
from init.contract.status import Wait as StatusWait

VARIABLE = "DM_VERITY_ERR_BLOCK_NR"
DATA = "0"  # enum verity_block_type of drivers/md/dm-verity.h; 1 is that of the hashes
HINT = "Write the disk image of this build to the disk again"
LONG = 3600.0


def blocks(events: Iterable[Mapping[str, str]]) -> list[str]:
    """What is damaged, as `block 12` or `block 3 of the hashes`; the variable is a kind and a number."""
    found = []
    for event in events:
        kind, comma, number = event.get(VARIABLE, "").partition(",")
        if comma:
            found.append(f"block {number}" if kind == DATA else f"block {number} of the hashes")
    return found


def task(world: World) -> Task:
    """Phase `damage`, in the background."""
    while True:
        woken = yield Wait(LONG, uevent=True)
        if found := blocks(woken.events):
            what = f"the root file system is damaged: {found[0]} is not what its root hash names; the machine halts"
            yield Waiting(StatusWait(Reason.IMAGE, "", world.now(), what, HINT))
            os.kill(os.getpid(), signal.SIGUSR1)
            while True:
                yield Wait(LONG)
