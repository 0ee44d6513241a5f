"""A node's time as it is told to a peer (GET /v1/time over the mesh), and what an answer is worth.

The answer is JSON: `unix` (seconds) and `confidence` (0 floor, 1 peers, 2 NTP). It is authenticated by the way it
comes, from a node's address on the mesh; what it says is checked here.
"""

import json
import math
from enum import StrEnum

from hepto.clock.model import PeerTime
from hepto.errors import PeerError
from hepto.machine import Confidence

MAX_BYTES = 256
MAX_ROUND_TRIP = 4.0
"""Seconds. The error is at most half of it, which must stay below what the clock is stepped for."""


class Refused(StrEnum):
    """Why a peer's time does not count."""

    MALFORMED = "time malformed"
    UNSURE = "time not agreed on"
    SLOW = "time too slow"


def answer(unix: float, confidence: Confidence) -> bytes:
    """What a peer that asks is told."""
    return json.dumps({"unix": unix, "confidence": int(confidence)}).encode()


def offer(name: str, body: bytes, *, sent: float, received: float, master: bool = False) -> PeerTime:
    """Peer `name`'s answer; `sent` and `received` are of the clock of all cores (edge.pump.now).

    Raises PeerError with a reason of Refused. Who knows its floor only does not count: a cluster of nodes that all came
    up without a clock would agree on the image's build.
    """
    unix, confidence = _read(body)
    if confidence < Confidence.PEERS:
        raise PeerError(Refused.UNSURE, name)
    if not 0 <= received - sent <= MAX_ROUND_TRIP:
        raise PeerError(Refused.SLOW, f"{received - sent:.1f} s")
    return PeerTime(name, unix - (sent + received) / 2, received - sent, master)


def _read(body: bytes) -> tuple[float, int]:
    if len(body) > MAX_BYTES:
        raise PeerError(Refused.MALFORMED, f"{len(body)} bytes")
    try:
        value = json.loads(body)
        unix, confidence = value["unix"], value["confidence"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PeerError(Refused.MALFORMED) from None
    if type(unix) not in (int, float) or type(confidence) is not int:
        raise PeerError(Refused.MALFORMED, "types")
    if not math.isfinite(unix) or not 0 <= unix < 2**40 or confidence not in (0, 1, 2):
        raise PeerError(Refused.MALFORMED, "range")
    return float(unix), confidence
