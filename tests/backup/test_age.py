"""Files of age: its own test suite, what the program has made, and what is left of a file that was changed."""

import hashlib
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto import recipients
from hepto.backup import age
from hepto.backup.reasons import BackupError, Reason
from hepto.wireguard import public_key
from tests.backup import agefiles

KEY = bytes(range(32))
EXPECTED = {
    "no match": Reason.NO_MATCH,
    "HMAC failure": Reason.HEADER_MAC,
    "header failure": Reason.HEADER,
    "payload failure": Reason.PAYLOAD,
}


def encrypted(content: bytes, *keys: bytes, seed: int = 1) -> bytes:
    chance = random.Random(seed)
    return b"".join(age.encrypt([public_key(key) for key in keys or (KEY,)], [content], chance.randbytes))


def decrypted(data: bytes, *keys: bytes) -> bytes:
    return b"".join(age.decrypt(keys or (KEY,), io.BytesIO(data)))


@pytest.mark.parametrize("file", agefiles.load(), ids=lambda file: file.name)
def test_the_files_of_age_s_own_suite_are_opened_or_refused_as_it_wants(file: agefiles.AgeFile) -> None:
    key = recipients.private_key(file.said.get("identity", recipients.secret_text(KEY))).reveal()
    if file.said["expect"] == "success":
        assert hashlib.sha256(decrypted(file.data, key)).hexdigest() == file.said["payload"]
        return
    with pytest.raises(BackupError) as refused:
        decrypted(file.data, key)

    assert refused.value.reason is EXPECTED[file.said["expect"]]


def test_the_suite_is_there() -> None:
    expected = [file.said["expect"] for file in agefiles.load()]

    assert len(expected) >= 68
    assert {*EXPECTED, "success"} <= set(expected)


@pytest.mark.parametrize("size", [0, 1, age.CHUNK - 1, age.CHUNK, age.CHUNK + 1, 2 * age.CHUNK, 2 * age.CHUNK + 1])
def test_what_was_encrypted_comes_out(size: int) -> None:
    content = random.Random(size).randbytes(size)

    assert decrypted(encrypted(content)) == content


def test_pieces_of_any_size_make_the_same_file() -> None:
    content = random.Random(5).randbytes(age.CHUNK + 500)
    pieces = [content[place : place + 777] for place in range(0, len(content), 777)]
    public = public_key(KEY)

    assert b"".join(age.encrypt([public], pieces, random.Random(1).randbytes)) == encrypted(content)


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_any_content_comes_back(pieces: list[bytes]) -> None:
    data = b"".join(age.encrypt([public_key(KEY)], pieces, random.Random(3).randbytes))

    assert decrypted(data) == b"".join(pieces)


def test_each_recipient_can_open_it_and_nobody_else() -> None:
    first, second, third = (bytes([number]) * 32 for number in (1, 2, 3))
    data = encrypted(b"one", first, second)

    assert decrypted(data, first) == decrypted(data, second) == decrypted(data, third, second) == b"one"
    with pytest.raises(BackupError) as refused:
        decrypted(data, third)
    assert refused.value.reason is Reason.NO_MATCH


def test_any_byte_that_is_changed_is_noticed() -> None:
    content = b"the cluster's secrets"
    data = encrypted(content)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        with pytest.raises(BackupError):
            decrypted(bytes(changed))


def test_any_byte_that_is_missing_is_noticed() -> None:
    data = encrypted(b"the cluster's secrets")
    for end in range(len(data)):
        with pytest.raises(BackupError):
            decrypted(data[:end])


def test_nothing_may_follow() -> None:
    data = encrypted(bytes(age.CHUNK))

    for more in (b"\0", bytes(age.CHUNK + age.TAG), data):
        with pytest.raises(BackupError) as refused:
            decrypted(data + more)
        assert refused.value.reason is Reason.PAYLOAD


def test_a_chunk_cannot_take_another_s_place() -> None:
    data = encrypted(random.Random(9).randbytes(3 * age.CHUNK))
    begin = data.index(b"\n--- ") + 1
    begin = data.index(b"\n", begin) + 1 + 16
    size = age.CHUNK + age.TAG
    swapped = (
        data[:begin] + data[begin + size : begin + 2 * size] + data[begin : begin + size] + data[begin + 2 * size :]
    )

    with pytest.raises(BackupError):
        decrypted(swapped)


def test_a_head_without_end_is_not_read_for_ever() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def readline(self, limit: int | None = -1, /) -> bytes:
            self.given += 1
            assert self.given < 10_000
            return age.MAGIC if self.given == 1 else b"-> grease\n" if self.given % 2 == 0 else b"\n"

    with pytest.raises(BackupError) as refused:
        next(age.decrypt((KEY,), Endless()))

    assert refused.value.reason is Reason.HEADER


def test_a_source_that_gives_little_at_a_time_is_read_whole() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 1, 1000))

    content = bytes(range(256)) * 600

    assert b"".join(age.decrypt((KEY,), Slow(encrypted(content)))) == content


def test_nobody_to_open_it_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="nobody"):
        next(age.encrypt([], [b""], random.Random(1).randbytes))
