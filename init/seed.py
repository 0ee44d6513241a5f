"""The random seed: what a boot leaves on the data disk for the next one, so that no two boots start from the same
state.

The seed is mixed in, never credited: a copied disk has a copied seed. The kernel has its own sources for the credit
(RDRAND, interrupts). It is replaced at once, not at shutdown: power cuts are the rule.
"""

import os

from init.contract import durable, paths

FILE = f"{paths.DATA}/random-seed"
SIZE = 512
DEVICE = "/dev/urandom"


def stir(file: str = FILE, device: str = DEVICE) -> bool:
    """Mix the seed in and leave a new one. False if there was none. Raises OSError."""
    try:
        with open(file, "rb") as old:
            seed = old.read(SIZE)
    except FileNotFoundError:
        seed = b""
    if seed:
        _mix(device, seed)
    try:
        fresh = os.getrandom(SIZE, os.GRND_NONBLOCK)
    except BlockingIOError:  # not yet initialised: what /dev/urandom gives now depends on the old seed at least
        with open(device, "rb") as source:
            fresh = source.read(SIZE)
    durable.write(file, fresh)
    return bool(seed)


def _mix(device: str, seed: bytes) -> None:
    with open(device, "wb", buffering=0) as pool:
        pool.write(seed)
