"""sd_notify(3) as services speak it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from init.notify import Notification, parse


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"READY=1", Notification(7, True)),
        (b"READY=1\nSTATUS=serving\n", Notification(7, True, "serving")),
        (b"RELOADING=1\n", Notification(7, False)),
        (b"RELOADING=1\nREADY=1", Notification(7, True)),
        (b"READY=0", Notification(7, None)),
        (b"STOPPING=1", Notification(7, None)),
        (b"MAINPID=1\nX", Notification(7, None)),
        (b"", Notification(7, None)),
    ],
)
def test_only_readiness_and_status_are_taken(data: bytes, expected: Notification) -> None:
    assert parse(data, 7) == expected


@settings(deadline=None)
@given(st.binary(max_size=4096))
def test_no_message_makes_it_raise(data: bytes) -> None:
    assert parse(data, 7).pid == 7
