import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip.keyring import OVERHEAD, Keyring
from hepto.gossip.messages import Ack, Address, NodeState, PushPull, Status
from hepto.gossip.plain import VERSIONS, decode_meta
from hepto.gossip.reasons import GossipError
from hepto.sim import node
from hepto.sim.node import Birth, Node
from hepto.sim.plan import Plan
from hepto.sim.production import EPOCH, Checksum, Production

PLAN = Plan(4, 1, 60.0)


def birth(production: Production, index: int, **changes: int) -> Birth:
    name, address = node.name(index), node.address(index)
    return Birth(index, 0, 5.0, name, address, production.meta(name, address, 0), changes.get("incarnation", 0), ())


def machine(production: Production, index: int) -> Node:
    born = birth(production, index)
    return Node(index, born.name, born.address, born.meta, production.build(born))


@pytest.fixture
def exact() -> Production:
    return Production(Plan(4, 1, 60.0, exact=True))


@given(data=st.binary(max_size=200), label=st.binary(max_size=9))
def test_the_cheap_cipher_is_as_long_as_the_real_one_and_reversible(data: bytes, label: bytes) -> None:
    block = Keyring((bytes(32),), Checksum).encrypt(bytes(12), data, label)

    assert len(block) == len(data) + OVERHEAD == len(Keyring((bytes(32),)).encrypt(bytes(12), data, label))
    assert Keyring((bytes(32),), Checksum).decrypt(block, label) == data


@given(place=st.integers(0, 35), change=st.integers(1, 255))
def test_the_cheap_cipher_notices_every_changed_byte(place: int, change: int) -> None:
    sealed = Checksum(b"key").encrypt(bytes(12), bytes(20), b"label")
    damaged = sealed[:place] + bytes([sealed[place] ^ change]) + sealed[place + 1 :]

    with pytest.raises(InvalidTag):
        Checksum(b"key").decrypt(bytes(12), damaged, b"label")


def test_the_cheap_cipher_knows_keys_and_labels_apart() -> None:
    sealed = Checksum(b"key").encrypt(bytes(12), b"data", b"label")

    for key, label in ((b"other", b"label"), (b"key", b"other")):
        with pytest.raises(InvalidTag):
            Checksum(key).decrypt(bytes(12), sealed, label)


@pytest.mark.parametrize("size", [200, 320, 512])
def test_a_meta_is_as_long_as_asked_for_and_one_of_ours(size: int) -> None:
    meta = Production(Plan(4, 1, 60.0, meta=size)).meta(b"node-1", node.address(1), 0)

    assert size - 1 <= len(meta) <= size
    assert decode_meta(meta) is not None


def test_who_has_moved_tells_its_new_address_with_a_higher_counter() -> None:
    production = Production(PLAN)
    before = decode_meta(production.meta(b"node-1", node.address(1), 0))
    after = decode_meta(production.meta(b"node-1", node.address(1, 1), 1))

    assert before is not None
    assert after is not None
    assert after.endpoint.counter > before.endpoint.counter
    assert after.endpoint.addresses == (node.address(1, 1).ip,)


def test_a_new_process_is_newer_than_the_last_one() -> None:
    production = Production(PLAN)

    (first,) = production.build(birth(production, 1)).members()
    (second,) = production.build(birth(production, 1, incarnation=EPOCH + 99)).members()

    assert first.incarnation == EPOCH + 5
    assert second.incarnation == EPOCH + 100


def test_a_settled_core_knows_all_and_has_no_news() -> None:
    production = Production(PLAN)
    cores = [production.build(birth(production, index)) for index in range(4)]
    records = [
        NodeState(claim.name, claim.address, claim.meta, claim.incarnation, Status.ALIVE, VERSIONS)
        for core in cores
        for claim in core.members()
    ]

    for core in cores:
        core.know(records, 0.0)

    assert all({claim.name for claim in core.members()} == {record.name for record in records} for core in cores)
    assert all(core.effects() == () for core in cores)


def test_messages_are_handed_over_or_sealed_and_read_again(exact: Production) -> None:
    quick = Production(PLAN)
    for production in (quick, exact):
        one, other = machine(production, 0), machine(production, 1)

        asked = production.unpack(other, production.pack(one, PushPull((), b"state"), is_answer=False))
        answered = production.unpack(one, production.pack(other, Ack(7), is_answer=True))

        assert asked == PushPull((), b"state")
        assert answered == Ack(7)


def test_a_stranger_may_not_send_much(exact: Production) -> None:
    one, other = machine(exact, 0), machine(exact, 1)
    address = Address(bytes(16), 1)
    states = tuple(NodeState(b"n%d" % n, address, bytes(512), 1, Status.ALIVE, VERSIONS) for n in range(300))

    with pytest.raises(GossipError):
        exact.unpack(other, exact.pack(one, PushPull(states), is_answer=False))
    assert exact.unpack(other, exact.pack(one, PushPull(states), is_answer=True)) == PushPull(states)
