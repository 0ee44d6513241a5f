from hepto.gossip import stream
from hepto.gossip.keyring import Keyring
from hepto.gossip.messages import Ack, NodeState, PushPull, Status
from hepto.gossip.packet import PacketEnvelope
from hepto.sim import node
from hepto.sim.parcels import Sealed, Whole


def test_the_reckoned_size_is_about_the_real_one() -> None:
    states = tuple(
        NodeState(node.name(index), node.address(index), bytes([index]) * 320, 1_700_000_000, Status.ALIVE, bytes(6))
        for index in range(100)
    )
    envelope = PacketEnvelope(b"sim", Keyring((bytes(32),)), random_bytes=bytes, compress=False)
    message = PushPull(states, b"revoked")

    real = len(stream.encode(message, envelope, initiator=True))

    assert abs(Whole(message).size - real) < 0.05 * real


def test_other_messages_are_small() -> None:
    assert 0 < Whole(Ack(1)).size < 100


def test_a_sealed_message_is_as_long_as_its_bytes() -> None:
    assert Sealed(b"12345", 0, is_answer=False).size == 5
