"""A line of the log is one line, one write, and shows no bytes."""

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepto.log import LONGEST_LINE, Log, encode, format_line
from hepto.machine import Level, Note
from hepto.values import Secret


class Sink:
    """Collects what was written."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def __call__(self, data: bytes) -> None:
        self.writes.append(data)


def test_a_line_has_level_component_text_and_fields() -> None:
    sink = Sink()

    Log("net", write=sink).info("router found", address="fe80::1", interface="eth0", tries=3)

    assert sink.writes == [b"info net: router found address=fe80::1 interface=eth0 tries=3\n"]


def test_what_is_less_than_wanted_is_left_out() -> None:
    sink = Sink()
    log = Log("net", least=Level.WARNING, write=sink)

    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")

    assert sink.writes == [b"warning net: c\n", b"error net: d\n"]


def test_a_note_of_a_core_is_a_line() -> None:
    sink = Sink()

    Log("gossip", write=sink).note(Note(Level.INFO, "dropped", (("reason", "too long"),)))

    assert sink.writes == [b'info gossip: dropped reason="too long"\n']


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a b", '"a b"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('a"b', '"a\\"b"'),
        ("a\nb", '"a\\nb"'),
        ("ü", "ü"),
        (b"horse", "<5 bytes>"),
        (Secret(b"horse"), "Secret(***)"),
        ((Secret(b"horse"), b"horse"), '"Secret(***),<5 bytes>"'),
        (["a", 1], "a,1"),
        (None, "None"),
    ],
)
def test_how_values_are_shown(value: object, shown: str) -> None:
    assert format_line(Level.INFO, "x", "y", {"v": value}) == f"info x: y v={shown}"


@settings(deadline=None)
@given(st.text(), st.text(max_size=2 * LONGEST_LINE))
def test_any_text_is_one_line_that_a_fifo_takes_in_one_piece(what: str, value: str) -> None:
    data = encode(format_line(Level.INFO, "x", what, {"v": value}))

    assert data.count(b"\n") == 1
    assert data.endswith(b"\n")
    assert len(data) <= LONGEST_LINE
    assert data.decode()


def test_a_long_line_is_cut_visibly() -> None:
    data = encode("ü" * LONGEST_LINE)

    assert len(data) <= LONGEST_LINE
    assert data.endswith("ü…\n".encode())


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    def fail(_: bytes) -> None:
        raise OSError(errno.ENOSPC, "no space")

    Log("x", write=fail).error("y")
