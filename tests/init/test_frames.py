"""The node's frames: whole, byte by byte, with junk; and the same as those of the host's end."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepto.lab import channel
from init import frames
from init.frames import MAX_FRAME, BadFrameError, Decoder, encode, pack, unpack

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
FRAMES = st.dictionaries(st.text(), VALUES, max_size=4)


@settings(max_examples=30, deadline=None)
@given(st.lists(FRAMES, max_size=4), st.integers(1, 20))
def test_frames_survive_in_pieces_of_any_size(values: list[dict[str, Any]], size: int) -> None:
    stream = b"".join(map(encode, values))
    decoder = Decoder()
    found = [frame for at in range(0, len(stream), size) for frame in decoder.feed(stream[at : at + size])]

    assert found == values


@settings(max_examples=30, deadline=None)
@given(FRAMES)
def test_both_ends_speak_the_same(value: dict[str, Any]) -> None:
    assert channel.encode(value) == encode(value)
    assert channel.Decoder().feed(encode(value)) == [value]
    assert Decoder().feed(channel.encode(value)) == [value]


def test_both_ends_have_the_same_limit() -> None:
    assert channel.MAX_FRAME == MAX_FRAME


@given(st.binary())
def test_bytes_survive_as_text_and_the_host_reads_them(data: bytes) -> None:
    assert unpack(pack(data)) == data
    assert channel.unpack({"data": pack(data)}) == data


@given(st.binary(max_size=100))
def test_any_bytes_are_frames_or_refused(data: bytes) -> None:
    try:
        found = Decoder().feed(data)
    except BadFrameError:
        return
    assert all(isinstance(frame, dict) for frame in found)


@pytest.mark.parametrize(
    "body", [b"[]", b"1", b"{", b"\xff", b"[" * 100000], ids=["list", "number", "cut", "bytes", "deep"]
)
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadFrameError):
        Decoder().feed(struct.pack("!I", len(body)) + body)


def test_a_frame_that_is_too_long_is_refused_by_its_head_alone() -> None:
    with pytest.raises(BadFrameError, match=str(MAX_FRAME + 1)):
        Decoder().feed(struct.pack("!I", MAX_FRAME + 1))


def test_a_head_alone_is_waited_for() -> None:
    assert Decoder().feed(struct.pack("!I", MAX_FRAME)) == []


def test_a_piece_of_output_fits_into_a_frame() -> None:
    assert len(encode({"id": 2**63, "stream": "stdout", "data": pack(bytes(frames.PIECE))})) < MAX_FRAME
