import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.clock.model import PeerTime
from hepto.clock.times import MAX_ROUND_TRIP, Refused, answer, offer
from hepto.errors import PeerError
from hepto.machine import Confidence


def test_a_peer_s_time_is_that_of_the_middle_of_the_exchange() -> None:
    body = answer(1_700_000_000.0, Confidence.SYNCHRONISED)

    assert offer("one", body, sent=99.0, received=101.0) == PeerTime("one", 1_700_000_000.0 - 100.0, 2.0)


@pytest.mark.parametrize(
    ("body", "received", "reason"),
    [
        (answer(1e9, Confidence.FLOOR), 1.0, Refused.UNSURE),
        (answer(1e9, Confidence.PEERS), 1.1 + MAX_ROUND_TRIP, Refused.SLOW),
        (answer(1e9, Confidence.PEERS), 0.5, Refused.SLOW),
        (b"", 1.0, Refused.MALFORMED),
        (b"[]", 1.0, Refused.MALFORMED),
        (b'{"unix": 1}', 1.0, Refused.MALFORMED),
        (b'{"unix": NaN, "confidence": 2}', 1.0, Refused.MALFORMED),
        (b'{"unix": 1e999, "confidence": 2}', 1.0, Refused.MALFORMED),
        (b'{"unix": -1, "confidence": 2}', 1.0, Refused.MALFORMED),
        (b'{"unix": true, "confidence": 2}', 1.0, Refused.MALFORMED),
        (b'{"unix": 1, "confidence": true}', 1.0, Refused.MALFORMED),
        (b'{"unix": 1, "confidence": 3}', 1.0, Refused.MALFORMED),
        (b'{"unix": 1' + b"0" * 300 + b', "confidence": 2}', 1.0, Refused.MALFORMED),
        (b"[" * 200, 1.0, Refused.MALFORMED),
    ],
)
def test_an_answer_that_is_of_no_use_is_refused_by_name(body: bytes, received: float, reason: Refused) -> None:
    with pytest.raises(PeerError) as caught:
        offer("one", body, sent=1.0, received=received)

    assert caught.value.reason == reason


@given(
    st.binary(max_size=80)
    | st.recursive(st.none() | st.integers() | st.floats() | st.text(max_size=3), st.lists, max_leaves=3).map(
        lambda value: json.dumps({"unix": value, "confidence": 2}).encode()
    )
)
def test_any_answer_is_a_time_or_refused(body: bytes) -> None:
    try:
        found = offer("one", body, sent=1.0, received=2.0)
    except PeerError as error:
        assert error.reason in list(Refused)
    else:
        assert -2.0 < found.offset < 2**40
