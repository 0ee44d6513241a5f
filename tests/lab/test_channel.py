"""Frames: whole, byte by byte, and with junk behind; a guest's stream across reboots."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.errors import PeerError
from hepto.lab import channel
from hepto.lab.channel import MAX_FRAME, Decoder, Frame, GuestStream, encode

FRAMES: list[Frame] = [{"hello": 1}, {"id": 7, "stream": "stdout", "data": "aGk="}, {"id": 7, "exit": 0}]
WIRE = b"".join(encode(frame) for frame in FRAMES)
HELLO = encode({"hello": 1})


def test_a_frame_is_its_length_and_compact_json() -> None:
    assert encode({"hello": 1}) == b'\0\0\0\x0b{"hello":1}'


def test_frames_arrive_whole_and_byte_by_byte_alike() -> None:
    single = Decoder()
    piecewise = [frame for byte in WIRE for frame in single.feed(bytes([byte]))]

    assert Decoder().feed(WIRE) == FRAMES
    assert piecewise == FRAMES


def test_the_beginning_of_the_next_frame_is_kept() -> None:
    decoder = Decoder()

    assert decoder.feed(WIRE + HELLO[:9]) == FRAMES
    assert decoder.pending == HELLO[:9]
    assert decoder.feed(HELLO[9:]) == [{"hello": 1}]


@pytest.mark.parametrize(
    ("junk", "reason"),
    [
        (struct.pack("!I", MAX_FRAME + 1), "frame-too-long"),
        (b"\0\0\0\2{]", "not-json"),
        (b"\0\0\0\2\xff\xfe", "not-json"),
        (b"\0\0\0\0", "not-json"),
        (b"\0\0\0\2[]", "not-an-object"),
        (struct.pack("!I", 100_000) + b"[" * 100_000, "not-json"),
    ],
    ids=["long", "text", "not-utf8", "empty", "list", "deep"],
)
def test_what_is_no_frame_breaks_the_stream_for_good(junk: bytes, reason: str) -> None:
    decoder = Decoder()
    with pytest.raises(PeerError) as caught:
        decoder.feed(junk)

    assert caught.value.reason == reason
    with pytest.raises(PeerError):
        decoder.feed(HELLO)


@given(st.binary(max_size=300))
def test_any_bytes_give_frames_or_a_peer_error(junk: bytes) -> None:
    try:
        frames = Decoder().feed(junk)
    except PeerError:
        return

    assert all(isinstance(frame, dict) for frame in frames)


def test_the_largest_frame_passes_and_a_larger_one_is_not_sent() -> None:
    overhead = len(json.dumps({"data": ""}, separators=(",", ":")))
    frame = {"data": "x" * (MAX_FRAME - overhead)}

    assert Decoder().feed(encode(frame)) == [frame]
    with pytest.raises(ValueError):
        encode({"data": "x" * (MAX_FRAME - overhead + 1)})


def test_a_full_standard_input_and_a_long_command_fit_into_one_frame() -> None:
    request = {"id": 1, "verb": "exec", "argv": ["x" * 4096] * 16, "stdin": channel.pack(b"x" * channel.MAX_STDIN)}

    assert len(encode(request)) <= MAX_FRAME


@pytest.mark.parametrize("frame", [{}, {"data": 1}, {"data": "a"}, {"data": "a*=="}, {"data": "é"}])
def test_a_stream_frame_without_data_is_the_peers_mistake(frame: Frame) -> None:
    with pytest.raises(PeerError):
        channel.unpack(frame)


def test_a_guest_is_believed_only_from_its_greeting_on() -> None:
    stream = GuestStream()

    assert stream.feed(b"\0\0\0\5junk" + encode({"id": 1, "exit": 0})) == []
    assert not stream.open
    assert stream.feed(WIRE) == FRAMES
    assert stream.open


@pytest.mark.parametrize("text", [b'\0\0\0\x0b{"hello":1}', b'\0\0\0\x0c{"hello": 1}'], ids=["compact", "spaced"])
def test_a_greeting_is_found_byte_by_byte(text: bytes) -> None:
    stream = GuestStream()
    frames = [frame for byte in b"junk" + text for frame in stream.feed(bytes([byte]))]

    assert frames == [{"hello": 1}]


def test_a_frame_that_a_death_has_cut_does_not_swallow_the_next_greeting() -> None:
    cut = encode({"id": 3, "stream": "stdout", "data": "x" * 500})[:200]
    stream = GuestStream()
    stream.feed(HELLO + cut)

    assert stream.lost() == []
    assert not stream.open
    assert stream.feed(WIRE) == FRAMES


def test_a_greeting_that_overtakes_the_news_of_the_loss_is_found_again() -> None:
    cut = encode({"id": 3, "stream": "stdout", "data": "x" * 500})[:200]
    stream = GuestStream()

    assert stream.feed(HELLO + cut + WIRE) == [{"hello": 1}]
    assert stream.lost() == FRAMES
    assert stream.open


def test_a_broken_frame_does_not_raise_but_waits_for_a_greeting() -> None:
    stream = GuestStream()
    stream.feed(HELLO)

    assert stream.feed(b"\xff" * 50) == []
    assert not stream.open
    assert stream.feed(WIRE) == FRAMES


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_a_guest_can_say_anything(pieces: list[bytes]) -> None:
    stream = GuestStream()
    for piece in pieces:
        stream.feed(piece)
    stream.lost()

    assert stream.feed(WIRE) == FRAMES
