"""The machine protocol, with lines as QEMU 10 sends them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.errors import PeerError
from hepto.lab.qmp import Event, Greeting, Message, Parser, PortChange, PowerChange, Reply, command, describe, line

GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "Debian"},'
    b' "capabilities": ["oob"]}}\r\n'
)
RESET = b'{"timestamp": {"seconds": 1}, "event": "RESET", "data": {"guest": true, "reason": "guest-reset"}}\r\n'
PORT = b'{"timestamp": {}, "event": "VSERPORT_CHANGE", "data": {"open": true, "id": "channel0"}}\r\n'
WIRE = (
    GREETING + b'{"return": {}, "id": 0}\r\n' + RESET + b'{"id": 3, "error": {"class": "X", "desc": "no"}}\r\n' + PORT
)
MESSAGES: list[Message] = [
    Greeting("10.0"),
    Reply(0, {}),
    Event("RESET", {"guest": True, "reason": "guest-reset"}),
    Reply(3, None, "no"),
    Event("VSERPORT_CHANGE", {"open": True, "id": "channel0"}),
]


def test_messages_arrive_whole_byte_by_byte_and_with_a_beginning_behind() -> None:
    parser = Parser()
    piecewise = [message for byte in WIRE for message in parser.feed(bytes([byte]))]

    assert Parser().feed(WIRE) == MESSAGES
    assert piecewise == MESSAGES
    assert Parser().feed(WIRE + b'{"event') == MESSAGES


@pytest.mark.parametrize("junk", [b"hello\n", b"[]\n", b"{}\n", b'{"error": 1}\n', b"x" * (1024 * 1024 + 1)])
def test_what_qemu_never_says_is_a_peer_error(junk: bytes) -> None:
    with pytest.raises(PeerError):
        Parser().feed(junk)


@given(st.binary(max_size=200))
def test_any_bytes_give_messages_or_a_peer_error(junk: bytes) -> None:
    try:
        messages = Parser().feed(junk + b"\n")
    except PeerError:
        return

    assert all(isinstance(message, Greeting | Event | Reply) for message in messages)


def test_a_command_is_one_line() -> None:
    assert json.loads(command("system_reset", 4)) == {"execute": "system_reset", "id": 4}
    assert command("x", 1, path="a\nb").count(b"\n") == 1


@pytest.mark.parametrize(
    ("event", "meaning", "words"),
    [
        (
            Event("SHUTDOWN", {"reason": "guest-shutdown"}),
            PowerChange("off", "guest-shutdown"),
            "power off (guest-shutdown)",
        ),
        (Event("RESET", {}), PowerChange("reset", ""), "power reset"),
        (Event("POWERDOWN", {}), PowerChange("button", ""), "power button"),
        (Event("VSERPORT_CHANGE", {"id": "channel0", "open": False}), PortChange(open=False), "lab channel closed"),
    ],
    ids=["off", "reset", "button", "closed"],
)
def test_events_mean_power_and_port(event: Event, meaning: PowerChange | PortChange, words: str) -> None:
    assert describe(event, "channel0") == meaning
    assert line(meaning) == words


def test_other_ports_and_events_mean_nothing() -> None:
    assert describe(Event("VSERPORT_CHANGE", {"id": "other", "open": True}), "channel0") is None
    assert describe(Event("RTC_CHANGE", {}), "channel0") is None
