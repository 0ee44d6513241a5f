import pytest

from hepto.gossip.messages import Ack, ErrorMessage, Ping, PushPull
from hepto.gossip.model import Accepted, Answer, Answered, Call, CallFailed, Failure, Rejected
from hepto.machine import Event
from hepto.sim.network import Quality, separate
from tests.sim.stories import LATENCY, Story

DEADLINE = 10.0


def call(story: Story, number: int = 1) -> Call:
    """A ping of node 1."""
    return Call(number, story.node(1).address, Ping(5), DEADLINE)


def outcome(story: Story) -> list[tuple[float, Event]]:
    """What node 0 hears of its calls."""
    return [(when, event) for when, event in story.core(0).heard if isinstance(event, Answered | CallFailed)]


def stream(story: Story) -> int:
    """The one that node 1 has accepted."""
    (event,) = story.core(1).events(Accepted)
    assert isinstance(event, Accepted)
    return event.stream


def test_a_call_takes_a_round_trip_to_connect_and_one_for_the_answer() -> None:
    story = Story()
    story.does(0, call(story))
    story.run(0.05)
    assert story.core(1).events(Accepted) == [Accepted(stream(story), story.node(0).address, Ping(5))]

    story.does(1, Answer(stream(story), Ack(5)))
    story.run(DEADLINE + 1)

    ((when, event),) = outcome(story)
    assert event == Answered(1, Ack(5))
    assert 0.05 + LATENCY <= when <= 0.05 + 1.2 * LATENCY
    assert story.node(0).stream_bytes > 0
    assert story.node(1).stream_bytes > 0


def test_a_machine_without_the_process_refuses_at_once() -> None:
    story = Story()
    story.cluster.kill(1)

    story.does(0, call(story))
    story.run(DEADLINE + 1)

    ((when, event),) = outcome(story)
    assert event == CallFailed(1, Failure.REFUSED)
    assert when < 3 * LATENCY


def test_a_machine_that_is_off_is_not_reached_until_the_deadline() -> None:
    story = Story()
    story.cluster.unplug(1)

    story.does(0, call(story))
    story.run(DEADLINE + 1)

    assert outcome(story) == [(DEADLINE, CallFailed(1, Failure.UNREACHABLE))]


def test_a_paused_process_is_silent_and_answers_when_it_goes_on() -> None:
    story = Story()
    story.cluster.pause(1)
    story.does(0, call(story))
    story.run(5.0)
    assert outcome(story) == []

    story.cluster.resume(1)
    story.does(1, Answer(stream(story), Ack(5)))
    story.run(DEADLINE)

    assert [event for _, event in outcome(story)] == [Answered(1, Ack(5))]


def test_who_is_never_answered_hears_of_silence() -> None:
    story = Story()

    story.does(0, call(story))
    story.run(DEADLINE + 1)
    story.does(1, Answer(stream(story), Ack(5)))
    story.run(DEADLINE + 2)

    assert outcome(story) == [(DEADLINE, CallFailed(1, Failure.SILENT))]


@pytest.mark.parametrize(
    ("answer", "detail"), [(None, "closed without an answer"), (ErrorMessage(b"go away"), "go away")]
)
def test_a_refusal_is_told_with_its_reason(answer: ErrorMessage | None, detail: str) -> None:
    story = Story()
    story.does(0, call(story))
    story.run(0.05)

    story.does(1, Answer(stream(story), answer))
    story.run(1.0)

    assert [event for _, event in outcome(story)] == [CallFailed(1, Failure.REJECTED, detail)]


def test_what_the_other_side_cannot_read_is_rejected_by_both() -> None:
    story = Story()
    story.software.deaf.add(1)

    story.does(0, call(story))
    story.run(1.0)

    assert [event for _, event in outcome(story)] == [CallFailed(1, Failure.REJECTED, "crypto-no-key")]
    assert story.core(1).events(Rejected) == [Rejected("crypto-no-key")]


def test_an_answer_that_cannot_be_read_is_rejected() -> None:
    story = Story()
    story.software.deaf.add(0)
    story.does(0, call(story))
    story.run(0.05)

    story.does(1, Answer(stream(story), Ack(5)))
    story.run(1.0)

    assert [event for _, event in outcome(story)] == [CallFailed(1, Failure.REJECTED, "crypto-no-key")]


def test_a_handshake_is_repeated_until_the_way_is_open() -> None:
    story = Story()
    cuts = separate((0,), (1, 2))
    story.cluster.network.cuts += cuts
    story.does(0, call(story))
    story.run(2.0)
    assert story.core(1).events(Accepted) == []

    story.cluster.network.cuts.clear()
    story.run(3.1)

    assert len(story.core(1).events(Accepted)) == 1


def test_a_message_in_the_way_of_a_cut_is_repeated_too() -> None:
    story = Story()
    story.does(0, call(story))
    story.run(0.05)
    story.cluster.network.cuts += separate((0,), (1, 2))
    story.does(1, Answer(stream(story), Ack(5)))
    story.run(1.0)
    assert outcome(story) == []

    story.cluster.network.cuts.clear()
    story.run(3.0)

    assert [event for _, event in outcome(story)] == [Answered(1, Ack(5))]


def test_long_messages_take_more_round_trips_and_loss_more_time() -> None:
    def seconds(size: int, quality: Quality) -> float:
        story = Story(quality=quality)
        message = PushPull((), user_state=bytes(size))
        story.does(0, Call(1, story.node(1).address, message, 1000.0))
        story.run(1000.0)
        return story.core(1).heard[-1][0]

    even = Quality(LATENCY, LATENCY)
    lossy = Quality(LATENCY, LATENCY, loss=0.3)
    assert seconds(1_000, even) < 3.5 * LATENCY
    assert seconds(100_000, even) > 7 * LATENCY
    assert seconds(100_000, lossy) > seconds(100_000, even) + 0.2


def test_a_process_that_has_ended_hears_nothing_of_the_calls_of_its_former_life() -> None:
    story = Story()
    story.does(0, call(story))
    story.run(0.05)

    story.cluster.start(0)
    story.does(1, Answer(stream(story), Ack(5)))
    story.run(DEADLINE + 1)

    assert outcome(story) == []
