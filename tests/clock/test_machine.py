"""The clock's machine, told as stories: what the clock showed, what was heard, what it was set to."""

from collections.abc import Sequence
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepto.clock.agree import TOLERANCE
from hepto.clock.floor import YEAR, Floor
from hepto.clock.machine import (
    MAX_OFFERS,
    PATIENCE,
    SAVE_SECONDS,
    SAVE_WITHOUT_BATTERY_SECONDS,
    STEP_SECONDS,
    ClockMachine,
)
from hepto.clock.model import (
    Announce,
    AskPeers,
    Handshake,
    JoinTime,
    Look,
    MeshKeyMade,
    NewMeshKey,
    NotOurs,
    PeerTime,
    Read,
    Save,
    SetClock,
)
from hepto.machine import Confidence, Effect, Event, Note, WallClock

BUILT = 1_700_000_000.0
SAVED = BUILT + 86400
TRUE = BUILT + 30 * 86400
"""What time it is, when the machine starts."""
FAR = BUILT + 120 * YEAR
FLOOR, PEERS, SYNCHRONISED = Confidence

E = TypeVar("E", bound=Effect)


class Story:
    """A machine, its monotonic clock, and the clock that it sets."""

    def __init__(
        self, shows: float, saved: float | None = SAVED, handshake: float | None = None, *, keyed: bool = False
    ):
        self.machine = ClockMachine(Floor(BUILT, saved), handshake, keyed=keyed)
        self.now = 50.0
        self.began = self.now
        self.offset = shows - self.now
        self.done: list[Effect] = []
        self.tell(Read(self.offset))

    @property
    def shown(self) -> float:
        """What the clock shows, less the time since the start: so that stories have one number."""
        return self.offset + self.began

    def offset_of(self, time: float) -> float:
        """Of a clock that showed `time` at the start."""
        return time - self.began

    def tell(self, *events: Event) -> Sequence[Effect]:
        """Events, and the effects of them, carried out."""
        effects: list[Effect] = []
        for event in events:
            self.machine.handle(event, self.now)
            effects += self.machine.effects()
        return self._carry_out(effects)

    def pass_time(self, seconds: float, *, synchronised: bool = False) -> Sequence[Effect]:
        """Time passes, with every deadline kept; chronyd says `synchronised` when it is asked."""
        end, effects = self.now + seconds, list[Effect]()
        while (deadline := self.machine.deadline()) is not None and deadline <= end:
            assert deadline > self.now
            self.now = deadline
            self.machine.tick(self.now)
            seen = len(effects)
            effects += self._carry_out(self.machine.effects())
            for look in of(Look, effects[seen:]):
                effects += self.tell(Read(self.offset, synchronised if look.ask else None))
        self.now = end
        return effects

    def peers(self, **times: float) -> Sequence[Effect]:
        """Answers of peers by name."""
        return self.tell(*(PeerTime(name, self.offset_of(time), 0.1) for name, time in times.items()))

    def _carry_out(self, effects: Sequence[Effect]) -> Sequence[Effect]:
        for item in of(SetClock, effects):
            self.offset = item.offset
        self.done += effects
        return effects

    @property
    def confidence(self) -> Confidence:
        assert self.machine.clock is not None
        assert self.machine.clock.offset == self.offset
        return self.machine.clock.confidence


def of(kind: type[E], effects: Sequence[Effect]) -> list[E]:
    return [effect for effect in effects if isinstance(effect, kind)]


def test_nothing_is_wanted_before_the_clock_was_read() -> None:
    machine = ClockMachine(Floor(BUILT))
    machine.tick(1.0)
    machine.handle(JoinTime(0.0), 1.0)

    assert (machine.deadline(), machine.clock, machine.effects()) == (None, None, ())
    assert not machine.is_plausible(1.0)
    assert ClockMachine(Floor(BUILT, SAVED), 7.0).saved(1.0) == Save(SAVED, 7.0)


class TestANodeWithoutABattery:
    """Its clock says 1970 at every boot."""

    def test_begins_at_what_is_known_to_be_past(self) -> None:
        story = Story(0.0)

        assert (story.shown, story.confidence) == (SAVED, FLOOR)
        assert of(Announce, story.done) == [Announce(WallClock(story.offset, FLOOR))]

    def test_joins_with_the_master_s_time(self) -> None:
        story = Story(0.0, saved=None)

        effects = story.tell(JoinTime(story.offset_of(TRUE)))

        assert (story.shown, story.confidence) == (TRUE, PEERS)
        assert of(Save, effects)[-1].clock == TRUE
        assert story.machine.is_plausible(story.now)

    def test_is_set_by_peers_that_agree(self) -> None:
        story = Story(0.0)
        assert of(SetClock, story.peers(one=TRUE)) == []

        story.peers(two=TRUE + 1)

        assert (story.shown, story.confidence) == (TRUE, PEERS)

    def test_is_set_by_a_master_alone_until_others_agree(self) -> None:
        story = Story(0.0)
        story.tell(PeerTime("one", story.offset_of(TRUE), 0.1, master=True))
        assert (story.shown, story.confidence) == (TRUE, PEERS)

        story.tell(PeerTime("one", story.offset_of(TRUE + 100), 0.1, master=True))
        assert story.shown == TRUE, "once agreed, its word is one of many"

    def test_hands_over_to_ntp(self) -> None:
        story = Story(0.0)
        story.peers(one=TRUE, two=TRUE)
        story.offset += 9.0  # chronyd steps

        story.pass_time(11, synchronised=True)
        effects = story.peers(one=TRUE, two=TRUE, three=TRUE)

        assert (story.shown, story.confidence) == (TRUE + 9.0, SYNCHRONISED)
        assert effects == []

    def test_saves_often_and_one_with_a_battery_seldom(self) -> None:
        without, with_one = Story(0.0), Story(TRUE)

        assert len(of(Save, without.pass_time(SAVE_SECONDS))) == SAVE_SECONDS / SAVE_WITHOUT_BATTERY_SECONDS
        assert len(of(Save, with_one.pass_time(SAVE_SECONDS))) == 1


class TestANodeThatWasAt2150:
    """Its clock is certainly wrong, and peers have seen handshakes of that time."""

    def test_comes_back_with_another_mesh_key(self) -> None:
        story = Story(FAR, keyed=True)
        assert (story.confidence, story.machine.is_plausible(story.now)) == (FLOOR, False)
        story.tell(Handshake(FAR + 5))

        effects = story.peers(one=TRUE, two=TRUE)

        assert (story.shown, story.confidence) == (TRUE, PEERS)
        assert len(of(NewMeshKey, effects)) == 1
        assert of(NewMeshKey, story.pass_time(3600)) == []
        assert of(Save, story.tell(MeshKeyMade()))[-1].handshake is None
        assert of(NewMeshKey, story.tell(Handshake(TRUE))) == []

    def test_has_saved_neither_that_time_nor_lost_that_of_its_handshakes(self) -> None:
        story = Story(FAR)
        story.tell(Handshake(FAR + 5))
        story.pass_time(1000)

        assert story.machine.saved(story.now) == Save(SAVED + 1000, FAR + 5)

    def test_makes_another_mesh_key_too_if_its_battery_was_changed_meanwhile(self) -> None:
        story = Story(TRUE, saved=SAVED, handshake=FAR, keyed=True)

        assert len(of(NewMeshKey, story.done)) == 1


class TestTheMeshKey:
    def test_stays_at_an_ordinary_boot(self) -> None:
        assert of(NewMeshKey, Story(TRUE, handshake=SAVED - 5, keyed=True).done) == []

    def test_is_made_anew_when_the_saved_time_was_lost(self) -> None:
        assert len(of(NewMeshKey, Story(TRUE, saved=None, keyed=True).done)) == 1
        assert of(NewMeshKey, Story(TRUE, saved=None, keyed=False).done) == []

    @pytest.mark.parametrize(("back", "expected"), [(PATIENCE - 1, 0), (PATIENCE + 1, 1)])
    def test_outlives_small_steps_back(self, back: float, expected: int) -> None:
        story = Story(TRUE)
        story.tell(Handshake(TRUE))

        assert len(of(NewMeshKey, story.tell(JoinTime(story.offset_of(TRUE - back))))) == expected

    def test_goes_when_ntp_steps_far_back(self) -> None:
        story = Story(TRUE)
        story.tell(Handshake(TRUE + 1))
        story.offset -= 3600

        assert len(of(NewMeshKey, story.pass_time(11, synchronised=True))) == 1


class TestAClockThatSomebodySets:
    @pytest.mark.parametrize("by", [-10 * YEAR, 10 * YEAR, -5.0, 5.0])
    def test_is_set_back_after_ntp_was_heard(self, by: float) -> None:
        story = Story(TRUE)
        story.pass_time(11, synchronised=True)
        story.offset += by

        story.pass_time(11, synchronised=False)

        assert (story.shown, story.confidence) == (TRUE, SYNCHRONISED)

    def test_is_left_alone_while_chronyd_does_not_answer_for_it_may_have_been_chronyd(self) -> None:
        story = Story(TRUE)
        story.pass_time(11, synchronised=True)
        story.offset += 3600
        story.tell(Read(story.offset, None))
        for _ in range(9):
            story.now = story.machine.deadline() or 0.0
            story.machine.tick(story.now)
            assert story.machine.effects() == (Look(ask=True),)
            assert story.tell(Read(story.offset, None)) == []

        story.pass_time(1, synchronised=True)

        assert (story.shown, story.confidence) == (TRUE + 3600, SYNCHRONISED)

    def test_follows_before_anything_was_agreed_but_not_below_the_floor(self) -> None:
        story = Story(TRUE)
        story.offset += 3600
        story.pass_time(11)
        assert (story.shown, story.confidence) == (TRUE + 3600, FLOOR)

        story.offset -= 10 * YEAR
        story.pass_time(11)
        assert story.shown == pytest.approx(SAVED, abs=30)

    def test_is_the_host_s_in_a_container(self) -> None:
        story = Story(TRUE)
        story.tell(NotOurs())
        story.offset += 3600

        effects = story.pass_time(11)
        effects = [*effects, *story.peers(one=TRUE, two=TRUE), *story.peers(one=TRUE, two=TRUE)]

        assert (story.shown, story.confidence) == (TRUE + 3600, FLOOR)
        assert of(SetClock, effects) == []
        assert [note.what for note in of(Note, effects)] == ["clock was set", "the clock of the host differs"]

    def test_may_be_slewed(self) -> None:
        story = Story(TRUE)
        for _ in range(20):
            story.offset += 0.5
            assert of(SetClock, story.pass_time(10)) == []
        assert story.shown == TRUE + 10


class TestWhatOthersSay:
    @pytest.mark.parametrize("time", [SAVED - 100, BUILT - 1, BUILT + 5.1 * YEAR, FAR])
    def test_cannot_be_before_the_floor_or_years_after_the_image(self, time: float) -> None:
        story = Story(TRUE)

        effects = [*story.tell(JoinTime(story.offset_of(time))), *story.peers(one=time, two=time, three=time)]

        assert (story.shown, story.confidence) == (TRUE, FLOOR)
        assert [note.what for note in of(Note, effects)] == ["a time that cannot be is refused"] * 2

    def test_confirms_a_clock_that_is_right_without_a_step(self) -> None:
        story = Story(TRUE)

        effects = story.peers(one=TRUE + 1, two=TRUE + 1.5)

        assert of(SetClock, effects) == []
        assert story.confidence is PEERS

    def test_is_forgotten_after_a_while(self) -> None:
        story = Story(TRUE - 9)
        story.peers(one=TRUE)
        story.pass_time(200)

        story.peers(two=TRUE)

        assert (story.shown, story.confidence) == (TRUE - 9, FLOOR)

    def test_is_bounded_in_number(self) -> None:
        story = Story(0.0)
        story.peers(**{f"early-{number}": TRUE for number in range(MAX_OFFERS)})
        story.peers(**{f"late-{number}": TRUE + 999 for number in range(10 * MAX_OFFERS)})

        assert story.shown == TRUE

    def test_is_asked_for_often_until_there_is_a_time_and_not_at_all_with_ntp(self) -> None:
        story = Story(TRUE)
        assert len(of(AskPeers, story.pass_time(300))) == 12

        story.peers(one=TRUE, two=TRUE)
        assert len(of(AskPeers, story.pass_time(1800))) == 3

        story.pass_time(11, synchronised=True)
        assert of(AskPeers, story.pass_time(3600)) == []

    @settings(deadline=None)
    @given(
        honest=st.lists(st.floats(TRUE - 1, TRUE + 1), min_size=2, max_size=6),
        lies=st.lists(st.floats(0, FAR), min_size=1, max_size=8),
        dice=st.randoms(use_true_random=False),
    )
    def test_of_one_liar_among_them_moves_nothing(self, honest: list[float], lies: list[float], dice: object) -> None:
        story = Story(0.0)
        told = [(f"node-{number}", time) for number, time in enumerate(honest)] + [("liar", lie) for lie in lies]
        dice.shuffle(told)  # type: ignore[attr-defined]

        for name, time in told:
            story.peers(**{name: time})
            assert story.shown == SAVED or abs(story.shown - TRUE) <= 1 + TOLERANCE

        assert abs(story.shown - TRUE) <= 1 + max(TOLERANCE, STEP_SECONDS)
        assert story.confidence is PEERS

    def test_makes_nodes_without_ntp_agree(self) -> None:
        stories = [Story(TRUE + number * 4) for number in range(3)]
        for story in stories:
            story.tell(JoinTime(story.offset))

        for story in stories:
            shown = {f"node-{number}": other.shown for number, other in enumerate(stories) if other is not story}
            story.peers(**shown)

        assert max(s.shown for s in stories) - min(s.shown for s in stories) <= 4.0


EVENTS = st.one_of(
    st.builds(Read, st.floats(-1e10, 1e10), st.none() | st.booleans()),
    st.builds(PeerTime, st.sampled_from("abcd"), st.floats(-1e10, 1e10), st.just(0.1)),
    st.builds(JoinTime, st.floats(-1e10, 1e10)),
    st.builds(Handshake, st.floats(0, 1e10)),
    st.just(MeshKeyMade()),
    st.just(NotOurs()),
)


@settings(deadline=None)
@given(st.lists(st.tuples(EVENTS, st.floats(0, 2000)), max_size=30))
def test_deadlines_are_in_the_future_and_only_times_that_can_be_are_saved(events: list[tuple[Event, float]]) -> None:
    machine, now = ClockMachine(Floor(BUILT, SAVED), keyed=True), 1.0
    for event, pause in events:
        machine.handle(event, now)
        now += pause
        machine.tick(now)
        deadline = machine.deadline()
        assert deadline is None or deadline > now
        for save in of(Save, machine.effects()):
            assert save.clock is not None
            assert BUILT <= save.clock <= BUILT + 5 * YEAR
