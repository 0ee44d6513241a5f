"""Strangers exhaust their own share only."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip.admission import Admission, Bounds, Ticket
from hepto.gossip.reasons import GossipError, Reason

BOUNDS = Bounds(
    network=100, member=1000, total=2000, strangers=800, streams=20, streams_of_strangers=12, streams_of_one=5
)


def stranger(network: int, host: int = 1) -> bytes:
    return network.to_bytes(8, "big") + host.to_bytes(8, "big")


MEMBER, OTHER_MEMBER = stranger(2**63, 1), stranger(2**63, 2)


def admission() -> Admission:
    return Admission({MEMBER, OTHER_MEMBER}.__contains__, BOUNDS)


def refusal(ticket: Ticket, count: int) -> str:
    with pytest.raises(GossipError) as caught:
        ticket.take(count)
    return caught.value.reason


def test_the_defaults_are_those_of_the_design() -> None:
    bounds = Bounds()

    assert (bounds.network, bounds.member, bounds.total, bounds.streams) == (64 << 10, 4 << 20, 8 << 20, 128)


def test_hosts_of_one_network_share_its_bytes() -> None:
    gate = admission()
    gate.open(stranger(1, 1)).take(60)

    assert refusal(gate.open(stranger(1, 2)), 41) == Reason.STREAM_TOO_LARGE
    gate.open(stranger(1, 3)).take(40)
    assert gate.held == 100


def test_all_strangers_together_leave_room_for_members() -> None:
    gate = admission()
    for network in range(8):
        gate.open(stranger(network)).take(100)

    assert refusal(gate.open(stranger(9)), 1) == Reason.TOO_MANY_STREAMS
    gate.open(MEMBER).take(1000)
    assert refusal(gate.open(MEMBER), 1) == Reason.STREAM_TOO_LARGE
    assert refusal(gate.open(OTHER_MEMBER), 201) == Reason.TOO_MANY_STREAMS
    gate.open(OTHER_MEMBER).take(200)
    assert gate.held == BOUNDS.total


def test_streams_are_counted_for_each_for_strangers_and_for_all() -> None:
    gate = admission()

    def opened(*addresses: bytes) -> int:
        count = 0
        for ip in addresses:
            try:
                gate.open(ip)
            except GossipError as error:
                assert error.reason == Reason.TOO_MANY_STREAMS
            else:
                count += 1
        return count

    assert opened(*[stranger(1, host) for host in range(9)]) == BOUNDS.streams_of_one
    assert opened(*[stranger(network) for network in range(2, 20)]) == 12 - 5
    assert opened(*[MEMBER] * 9) == 5
    assert opened(*[OTHER_MEMBER] * 9) == 3


def test_authenticated_bytes_count_no_longer_and_closing_twice_is_nothing() -> None:
    gate = admission()
    ticket = gate.open(stranger(1))
    ticket.take(100)
    ticket.authenticated()
    assert gate.held == 0

    ticket.close()
    ticket.close()

    for _ in range(BOUNDS.streams_of_one):
        gate.open(stranger(1))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 300))))
def test_no_bound_is_ever_passed_and_what_is_closed_is_given_back(story: list[tuple[int, bool, int]]) -> None:
    gate = admission()
    tickets = [gate.open(ip) for ip in (MEMBER, MEMBER, OTHER_MEMBER, stranger(1, 1), stranger(1, 2), stranger(2))]
    for index, is_more, count in story:
        with contextlib.suppress(GossipError):
            tickets[index].take(count) if is_more else tickets[index].authenticated()
        assert 0 <= gate.held <= BOUNDS.total

    for ticket in tickets:
        ticket.close()

    assert gate.held == 0
