"""LZW against what the Go library writes, and against what nobody should be made to unpack."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip import lzw
from hepto.gossip.reasons import GossipError
from tests.gossip import vectors

LIMIT = 1 << 20


def original(vector: vectors.Vector) -> bytes:
    return bytes.fromhex(vector.get("input_hex") or vector["expect"]["hex"])


@pytest.mark.parametrize("vector", vectors.load("lzw"), ids=lambda vector: vector["id"])
def test_a_block_is_written_and_read_as_by_the_go_library(vector: vectors.Vector) -> None:
    block, data = bytes.fromhex(vector["hex"]), original(vector)

    assert lzw.compress(data) == block
    assert lzw.expand(block, len(data)) == data


def test_there_are_blocks_around_every_change_of_width() -> None:
    assert len(vectors.load("lzw")) == 29


@given(st.one_of(st.binary(max_size=600), st.text("ab", max_size=3000).map(str.encode)))
def test_what_was_compressed_is_expanded(data: bytes) -> None:
    assert lzw.expand(lzw.compress(data), len(data)) == data


@given(st.binary(max_size=200))
def test_any_bytes_expand_or_are_refused_by_name(block: bytes) -> None:
    try:
        lzw.expand(block, LIMIT)
    except GossipError as error:
        assert error.reason in {"lzw-truncated", "lzw-bad-code"}


def test_one_byte_above_the_limit_is_refused() -> None:
    block = lzw.compress(bytes(1000))

    assert len(lzw.expand(block, 1000)) == 1000
    with pytest.raises(GossipError, match="decompressed-too-large"):
        lzw.expand(block, 999)


def test_every_block_cut_short_is_truncated() -> None:
    block = lzw.compress(b"to be or not to be")

    for size in range(len(block)):
        with pytest.raises(GossipError, match="lzw-truncated"):
            lzw.expand(block[:size], LIMIT)


def test_what_follows_the_end_code_is_ignored() -> None:
    assert lzw.expand(lzw.compress(b"abc") + b"\xff" * 20, LIMIT) == b"abc"


def test_a_block_without_the_first_clear_code_is_read() -> None:
    codes = (0x61, 0x62, 257)
    block = sum(code << 9 * place for place, code in enumerate(codes)).to_bytes(4, "little")

    assert lzw.expand(block, LIMIT) == b"ab"


def test_a_full_table_stays_as_it_is_until_it_is_cleared() -> None:
    """The Go writer clears at 4095 entries; other writers need not, and then nothing is added any more."""
    widths = [9] * 255 + [10] * 512 + [11] * 1024 + [12] * 2100
    block = position = 0
    for number, width in enumerate(widths):
        block |= (number % 256) << position
        position += width
    block |= 257 << position

    expanded = lzw.expand(block.to_bytes(position // 8 + 3, "little"), LIMIT)

    assert expanded == bytes(number % 256 for number in range(len(widths)))


def test_a_bomb_costs_as_much_as_the_limit_not_as_much_as_it_holds() -> None:
    [bomb] = (vector for vector in vectors.load("malformed") if vector["id"] == "bad-udp-bomb-zero-41m")
    block = bytes.fromhex(bomb["hex"])[15:]
    begin = time.process_time()

    with pytest.raises(GossipError, match="decompressed-too-large"):
        lzw.expand(block, 64 * 1024)

    assert time.process_time() - begin < 0.1
