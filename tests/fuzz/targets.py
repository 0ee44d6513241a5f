"""What must hold for any input: a value, or a GossipError with a named reason, and never anything else.

A target returns in a word what became of the input, so that inputs which lead somewhere new can be kept.
"""

import itertools
import random
import zlib
from collections.abc import Callable, Iterable

from hepto.gossip import codec, limits, stream
from hepto.gossip.messages import PushPull, StreamMessage
from hepto.gossip.packet import PacketEnvelope
from hepto.gossip.reasons import GossipError, Reason
from hepto.gossip.stream import StreamReader
from tests.fuzz.corpus import SETTINGS

REASONS = frozenset(Reason)
PLAIN = SETTINGS["plain"]


def packet(settings: PacketEnvelope, data: bytes) -> str:
    """What was opened is believable and would be read again as it was."""
    try:
        opened = settings.open(data)
    except GossipError as error:
        assert error.reason in REASONS
        return error.reason
    for message in opened.messages:
        codec.check(message)
        assert codec.decode(codec.encode(message)) == message
    assert all(type(error) is not GossipError or error.reason in REASONS for error in opened.bad)
    kinds = sorted({type(message).__name__ for message in opened.messages})
    return " ".join((*kinds, *sorted({error.reason for error in opened.bad})))


def read_stream(settings: PacketEnvelope, data: bytes) -> str:
    """At once and in pieces, often of one byte, the same comes out, and would be read again as it was."""
    chance = random.Random(zlib.crc32(data))  # of the input alone, so that an input fails again
    whole = _read(settings, [data])
    assert whole == _read(settings, _pieces(data, chance))
    if isinstance(whole, str):
        assert whole in REASONS
        return whole
    if isinstance(whole, PushPull):
        assert len(whole.refused) <= limits.REFUSED_STATES
        refused = sorted(set(whole.refused))
        whole = PushPull(whole.states, whole.user_state, whole.join)
    else:
        refused = []
    assert _read(PLAIN, [stream.encode(whole, PLAIN, initiator=False)]) == whole
    return " ".join((type(whole).__name__, *refused))


TARGETS: dict[str, Callable[[PacketEnvelope, bytes], str]] = {"packet": packet, "stream": read_stream}


def _pieces(data: bytes, chance: random.Random) -> Iterable[bytes]:
    if len(data) < 400 and chance.random() < 0.2:
        return [data[place : place + 1] for place in range(len(data))]
    cuts = [0, *sorted(chance.randrange(len(data) + 1) for _ in range(4)), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(cuts)]


def _read(settings: PacketEnvelope, pieces: Iterable[bytes]) -> StreamMessage | str:
    reader = StreamReader(settings, limits.STREAM_UNKNOWN, initiator=False)
    try:
        for piece in pieces:
            message = reader.feed(piece)
            if message is not None:
                return message
        reader.eof()
    except GossipError as error:
        return error.reason
    raise AssertionError("neither a message nor an error")
