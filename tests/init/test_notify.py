"""sd_notify(3) as services speak it."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from init import linux
from init.inbox import TRIES
from init.notify import Notification, Receiver, parse


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


def socket_pair(tmp_path: Path) -> tuple[linux.Socket, socket.socket]:
    """PID 1's end, and a service's."""
    service = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours = linux.notify_socket(str(tmp_path / "notify.sock"))
    service.connect(str(tmp_path / "notify.sock"))
    return ours, service


def test_messages_come_in_their_order_with_who_sent_them(tmp_path: Path) -> None:
    found: list[Notification] = []
    ours, service = socket_pair(tmp_path)
    with service:
        service.send(b"STATUS=begun")
        service.send(b"READY=1")
        Receiver(found.append).receive(ours)
        Receiver(found.append).receive(ours)
    ours.close()

    assert found == [Notification(os.getpid(), None, "begun"), Notification(os.getpid(), True)]


def test_one_that_raises_is_handed_on_again_and_holds_up_no_other_for_ever(tmp_path: Path) -> None:
    found: list[str] = []
    left = {"one": 1, "three": 10**9}

    def add(message: Notification) -> None:
        if left.get(message.text, 0) > 0:
            left[message.text] -= 1
            raise MemoryError
        found.append(message.text)

    ours, service = socket_pair(tmp_path)
    with service:
        for text in (b"one", b"two", b"three", b"four"):
            service.send(b"STATUS=" + text)
        receiver = Receiver(add)
        for _ in range(1 + TRIES):
            with pytest.raises(MemoryError):
                receiver.receive(ours)
        receiver.receive(ours)
    ours.close()

    assert found == ["one", "two", "four"]
