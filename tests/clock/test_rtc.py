"""When the real-time clock is written: for the next boot of a machine that keeps its time while it is off."""

from hepto.clock.machine import RTC_SECONDS
from hepto.clock.model import JoinTime, NotOurs, SetClock, SetRtc
from hepto.machine import Confidence
from tests.clock.test_machine import TRUE, Story, of


def test_it_is_written_once_others_agree_and_then_rarely() -> None:
    story = Story(TRUE)
    story.pass_time(60)
    assert of(SetRtc, story.done) == []

    assert len(of(SetRtc, story.peers(one=TRUE, two=TRUE))) == 1
    written = story.now
    while story.now < written + RTC_SECONDS:
        story.pass_time(600)
        story.peers(one=TRUE, two=TRUE)

    assert len(of(SetRtc, story.done)) == 2


def test_it_is_written_after_every_step_and_after_the_clock() -> None:
    story = Story(0.0)

    effects = [*story.tell(JoinTime(story.offset_of(TRUE))), *story.tell(JoinTime(story.offset_of(TRUE + 60)))]

    assert [type(one) for one in effects if isinstance(one, SetClock | SetRtc)] == [SetClock, SetRtc] * 2


def test_it_is_chronyd_s_once_ntp_was_heard() -> None:
    story = Story(TRUE)
    story.pass_time(11, synchronised=True)
    story.peers(one=TRUE, two=TRUE)
    story.pass_time(2 * RTC_SECONDS, synchronised=True)

    assert of(SetRtc, story.done) == []


def test_it_is_the_host_s_where_the_clock_is() -> None:
    story = Story(TRUE)
    story.tell(NotOurs(), JoinTime(story.offset_of(TRUE)))

    assert (story.confidence, of(SetRtc, story.done)) == (Confidence.PEERS, [])
