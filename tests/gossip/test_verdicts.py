"""The rules of merging, cell by cell, and what makes them safe in any order."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip import model
from hepto.gossip.codec import encode
from hepto.gossip.core import Gossip
from hepto.gossip.messages import Address, Alive, Dead, NodeState, PacketMessage, PushPull, Status, Suspect
from hepto.gossip.packet import PacketEnvelope
from hepto.gossip.plain import Plain
from hepto.gossip.settings import Settings
from hepto.gossip.verdicts import ELSEWHERE, OTHERS, OURSELVES, Verdict, verdict
from tests.gossip.cluster import address, meta, verify_all

KNOWN = 10
"""The incarnation that is known."""
SAID = (KNOWN - 1, KNOWN, KNOWN + 1)
ME, OTHER, ACCUSER = b"me", b"other", b"accuser"
TAKEN = {Verdict.ACCEPT, Verdict.SUSPECT, Verdict.BURY}
CELLS = [(*key, column) for key in OTHERS for column in range(3)]


class One:
    """A core that knows two others, of which one has a status and an incarnation."""

    def __init__(self, status: int = Status.ALIVE):
        self.envelope = PacketEnvelope(b"test", None, random_bytes=random.Random(0).randbytes)
        settings = Settings(ME, address(0), meta(0), incarnation=KNOWN)
        self.core = Gossip(settings, self.envelope, Plain(verify_all), random.Random(1))
        self.core.handle(model.Started(), 0.0)
        for name, number in ((OTHER, 1), (ACCUSER, 2)):
            self.hears(alive(name, number, KNOWN))
        self.hears(*said(status, OTHER, KNOWN, ACCUSER))
        self.core.effects()

    def hears(self, *messages: Alive | Suspect | Dead) -> None:
        for message in messages:
            self.core.handle(model.Datagram(self.envelope.seal((encode(message),)), address(2)), 1.0)

    def knows(self, name: bytes = OTHER) -> tuple[int, int]:
        """Incarnation and status."""
        return next((claim.incarnation, int(claim.status)) for claim in self.core.members() if claim.name == name)

    def sends(self, where: Address) -> list[PacketMessage]:
        """What is sent there now."""
        effects = [effect for effect in self.core.effects() if isinstance(effect, model.Send)]
        sent = [effect.data for effect in effects if effect.destination == where]
        return [message for data in sent for message in self.envelope.open(data).messages]

    def conflicts(self) -> int:
        return sum(isinstance(effect, model.Conflict) for effect in self.core.effects())


def alive(name: bytes, number: int, incarnation: int) -> Alive:
    return Alive(incarnation, name, address(number), meta(number, incarnation), Plain.versions)


def said(status: int, name: bytes, incarnation: int, by: bytes, number: int = 1) -> list[Alive | Suspect | Dead]:
    """The message that says so."""
    match status:
        case Status.ALIVE:
            return [alive(name, number, incarnation)]
        case Status.SUSPECT:
            return [Suspect(incarnation, name, by)]
        case Status.DEAD:
            return [Dead(incarnation, name, by)]
    return [Dead(incarnation, name, name)]


def test_the_tables_have_a_cell_for_everything() -> None:
    assert OTHERS.keys() == {(one, two) for one in Status for two in Status}
    assert ELSEWHERE.keys() == OURSELVES.keys() == set(Status)


@pytest.mark.parametrize(("news", "known", "column"), CELLS)
def test_what_is_said_of_another_is_taken_as_its_cell_says(news: Status, known: Status, column: int) -> None:
    one = One(known)

    one.hears(*said(news, OTHER, SAID[column], b"another"))

    taken = OTHERS[news, known][column] in TAKEN
    assert one.knows() == ((SAID[column], news) if taken else (KNOWN, known))


@pytest.mark.parametrize("known", Status)
@pytest.mark.parametrize("column", range(3))
def test_a_name_elsewhere_moves_is_free_or_is_a_conflict(known: Status, column: int) -> None:
    one = One(known)

    one.hears(alive(OTHER, 7, SAID[column]))

    cell = ELSEWHERE[known][column]
    accepted = cell is Verdict.MOVE or (cell is Verdict.RECLAIM and column == 2)  # one of ours is not reclaimed by less
    assert one.knows() == ((SAID[column], Status.ALIVE) if accepted else (KNOWN, known))
    assert one.conflicts() == (cell is Verdict.CONFLICT)


@pytest.mark.parametrize("news", [Status.SUSPECT, Status.DEAD, Status.LEFT])
@pytest.mark.parametrize("column", range(3))
def test_an_accusation_of_ourselves_is_refuted_unless_it_is_old(news: Status, column: int) -> None:
    one = One()

    one.hears(*said(news, ME, SAID[column], ACCUSER))

    refuted = OURSELVES[news][column] is Verdict.REFUTE
    assert one.knows(ME) == (SAID[column] + 1 if refuted else KNOWN, Status.ALIVE)


@pytest.mark.parametrize("known", Status)
@pytest.mark.parametrize("column", range(3))
def test_who_suspects_what_is_dead_has_missed_it_and_is_told(known: Status, column: int) -> None:
    one = One(known)

    one.hears(Suspect(SAID[column], OTHER, ACCUSER))

    late = known in (Status.DEAD, Status.LEFT) and column < 2
    by = OTHER if known is Status.LEFT else ME
    assert one.sends(address(2)) == ([Dead(KNOWN, OTHER, by)] if late else [])


def test_a_stranger_s_suspicion_of_what_is_dead_is_not_answered() -> None:
    one = One(Status.DEAD)

    one.hears(Suspect(KNOWN, OTHER, b"stranger"), Suspect(KNOWN, OTHER, ME), Suspect(KNOWN, OTHER, OTHER))

    assert one.core.effects() == ()


# --- in any order

news = st.lists(st.tuples(st.sampled_from(Status), st.integers(1, 4)), max_size=6)


@given(news, st.randoms(use_true_random=False))
def test_merging_is_commutative_and_idempotent(heard: list[tuple[Status, int]], dice: random.Random) -> None:
    again = [*heard, *dice.choices(heard, k=3)] if heard else []
    dice.shuffle(again)

    assert _merged(heard) == _merged(again)


@given(news)
def test_a_state_only_grows(heard: list[tuple[Status, int]]) -> None:
    state = (1, int(Status.ALIVE))
    for status, incarnation in heard:
        before, state = state, _merge(state, status, incarnation)
        assert state >= before


@given(news)
def test_the_core_ends_where_the_tables_do(heard: list[tuple[Status, int]]) -> None:
    one = One()

    for status, incarnation in heard:
        one.hears(*said(status, OTHER, KNOWN + incarnation, ACCUSER))

    state = (KNOWN, int(Status.ALIVE))
    for status, incarnation in heard:
        state = _merge(state, status, KNOWN + incarnation)
    assert one.knows() == state


@given(st.sampled_from(Status), st.integers(8, 12))
def test_an_exchange_twice_is_as_good_as_once(status: Status, incarnation: int) -> None:
    states = (NodeState(OTHER, address(1), meta(1, incarnation), incarnation, status, Plain.versions),)
    one = One()

    one.core.handle(model.Accepted(1, address(1), PushPull(states, b"", False)), 1.0)
    once = one.knows()
    one.core.handle(model.Accepted(2, address(1), PushPull(states, b"", False)), 1.0)

    assert one.knows() == once


def _merge(state: tuple[int, int], status: Status, incarnation: int) -> tuple[int, int]:
    cell = verdict(OTHERS[status, Status(state[1])], incarnation, state[0])
    return (incarnation, int(status)) if cell in TAKEN else state


def _merged(heard: list[tuple[Status, int]]) -> tuple[int, int]:
    state = (1, int(Status.ALIVE))
    for status, incarnation in heard:
        state = _merge(state, status, incarnation)
    return state
