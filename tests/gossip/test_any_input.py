"""The core's promise that no event in any order raises."""

import random

from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip import model
from hepto.gossip.codec import encode
from hepto.gossip.core import Gossip
from hepto.gossip.messages import (
    Ack,
    Address,
    Alive,
    Dead,
    ErrorMessage,
    IndirectPing,
    Nack,
    NodeState,
    Ping,
    PushPull,
    Suspect,
    User,
)
from hepto.gossip.model import Failure
from hepto.gossip.packet import PacketEnvelope
from hepto.gossip.plain import Plain
from hepto.gossip.settings import LARGEST_INCARNATION, Settings
from tests.gossip.cluster import address, meta, verify_all

VERSIONS = Plain.versions

names = st.sampled_from((b"me", b"a", b"b", b"c", b""))
numbers = st.sampled_from((0, 1, 2, 3, LARGEST_INCARNATION))
addresses = st.sampled_from((address(0), address(1), address(2), Address(bytes((10, 0, 0, 1)), 7946)))
metas = st.sampled_from((b"", meta(1), meta(2, 2), b"\xff"))
versions = st.sampled_from((VERSIONS, b"", bytes(6), b"\x01\x05\x02\x02\x05\x05"))
alives = st.builds(Alive, numbers, names, addresses, metas, versions)
accusations = st.builds(Suspect, numbers, names, names) | st.builds(Dead, numbers, names, names)
users = st.builds(User, st.binary(max_size=8) | st.just(b"hepG\x01") | st.just(b"hepG\x02\x00\x01" + bytes(16) + b"a"))
pings = st.builds(Ping, numbers, names, st.none() | addresses, names)
relayed = st.builds(IndirectPing, numbers, addresses, names, st.booleans())
packets = st.lists(
    alives | accusations | users | pings | relayed | st.builds(Ack, numbers) | st.builds(Nack, numbers), max_size=4
)
states = st.builds(NodeState, names, addresses, metas, numbers, st.integers(0, 5), versions)
exchanges = st.builds(PushPull, st.lists(states, max_size=4).map(tuple), st.binary(max_size=4), st.booleans())
streams = exchanges | pings | st.builds(Ack, numbers) | users | st.builds(ErrorMessage, st.binary(max_size=4))
calls = st.integers(0, 6)
events = (
    st.just(model.Started())
    | st.builds(model.Datagram, st.binary(max_size=40), addresses)
    | st.tuples(packets, addresses)
    | st.builds(model.Accepted, calls, addresses, streams)
    | st.builds(model.Answered, calls, streams)
    | st.builds(model.CallFailed, calls, st.sampled_from(Failure))
    | st.builds(model.Refused, addresses)
    | st.builds(model.Resolved, st.sampled_from(("a.example", "x")), st.lists(addresses, max_size=2).map(tuple))
    | st.builds(model.Rejected, st.just("short-read"))
    | st.builds(model.SetMeta, metas)
    | st.builds(model.SetAddress, addresses)
    | st.builds(
        model.SetAnchors, st.lists(st.sampled_from(("a.example", "[fd00::1]:1", "::", "")), max_size=3).map(tuple)
    )
    | st.builds(model.Broadcast, st.binary(max_size=4))
    | st.builds(model.SetShared, st.binary(max_size=4))
    | st.just(model.Leave())
)


class TestAnyInput:
    @given(st.lists(st.tuples(st.sampled_from((0.0, 0.01, 0.5, 3.0, 40.0)), events), max_size=25))
    def test_no_event_in_any_order_raises_and_no_deadline_lies_in_the_past(self, script: list) -> None:  # type: ignore[type-arg]
        envelope = PacketEnvelope(b"test", None, random_bytes=random.Random(0).randbytes)
        core = Gossip(
            Settings(b"me", address(0), meta(0), anchors=("a.example",)), envelope, Plain(verify_all), random.Random(1)
        )
        now = 0.0

        for pause, entry in script:
            now += pause
            event = entry
            if isinstance(entry, tuple):
                parts, source = entry
                event = model.Datagram(envelope.seal(tuple(encode(part) for part in parts)) if parts else b"", source)
            core.handle(event, now)
            core.tick(now)
            deadline = core.deadline()
            assert deadline is None or deadline > now
            core.effects()
            assert core.members()[0].name == b"me"
