"""Keys are tried, rotated and never shown."""

import pytest
from cryptography.exceptions import InvalidTag

from hepto.errors import UserError
from hepto.gossip.keyring import NONCE, OVERHEAD, Cipher, Keyring
from hepto.gossip.reasons import GossipError
from tests.gossip import vectors

OLD = bytes(range(32))
NEW = bytes(range(16))
OTHER = bytes(range(24))


def block(keyring: Keyring, data: bytes = b"hello", additional: bytes = b"blue") -> bytes:
    return keyring.encrypt(bytes(NONCE), data, additional)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_a_block_is_read_by_who_has_the_key(size: int) -> None:
    keyring = Keyring((bytes(size),))

    sealed = block(keyring)

    assert len(sealed) == len(b"hello") + OVERHEAD
    assert keyring.decrypt(sealed, b"blue") == b"hello"


def test_a_block_is_bound_to_its_additional_data() -> None:
    keyring = Keyring((OLD,))

    with pytest.raises(GossipError, match="crypto-no-key"):
        keyring.decrypt(block(keyring), b"red")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "crypto-empty"),
        (b"\x01", "crypto-short"),
        (bytes((1,)) + bytes(27), "crypto-short"),
        (bytes(44), "crypto-short"),
        (bytes((2,)) + bytes(60), "crypto-version"),
        (bytes((1,)) + bytes(28), "crypto-no-key"),
    ],
    ids=str,
)
def test_what_is_no_block_of_ours_is_refused_by_name(data: bytes, reason: str) -> None:
    with pytest.raises(GossipError) as caught:
        Keyring((OLD,)).decrypt(data, b"")

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("padded", "content"),
    [(b"abc" + b"\x0d" * 13, b"abc"), (bytes(16) + b"\x10" * 16, bytes(16)), (b"\x10" * 16, b"")],
    ids=["part of a block", "a whole block", "nothing but padding"],
)
def test_version_0_loses_its_padding(padded: bytes, content: bytes) -> None:
    keyring = Keyring((OLD,))

    assert keyring.decrypt(b"\x00" + block(keyring, padded)[1:], b"blue") == content


@pytest.mark.parametrize("last", [0, 17, 255])
def test_padding_of_nothing_or_of_more_than_there_is_is_refused(last: int) -> None:
    keyring = Keyring((OLD,))

    with pytest.raises(GossipError, match="crypto-padding"):
        keyring.decrypt(b"\x00" + block(keyring, bytes(15) + bytes((last,)))[1:], b"blue")


def test_nodes_understand_each_other_at_every_step_of_a_rotation() -> None:
    one, two = Keyring((OLD,)), Keyring((OLD,))

    def understand() -> bool:
        return two.decrypt(block(one), b"blue") == one.decrypt(block(two), b"blue")

    for verb in ("add", "use"):
        for node in (one, two):
            getattr(node, verb)(NEW)
            assert understand()
    for node in (one, two):
        node.remove(OLD)
        assert understand()
    assert one.keys == two.keys == (NEW,)


def test_a_removed_key_is_not_accepted_any_more() -> None:
    keyring = Keyring((NEW, OLD))
    sealed = block(Keyring((OLD,)))
    assert keyring.decrypt(sealed, b"blue") == b"hello"

    keyring.remove(OLD)

    with pytest.raises(GossipError, match="crypto-no-key"):
        keyring.decrypt(sealed, b"blue")


def test_the_keys_keep_their_order() -> None:
    keyring = Keyring((OLD,))
    keyring.add(NEW)
    keyring.add(OTHER)
    keyring.add(OLD)
    assert keyring.keys == (OLD, NEW, OTHER)

    keyring.use(OTHER)

    assert keyring.keys == (OTHER, OLD, NEW)
    assert keyring.primary == OTHER


def test_mistakes_of_an_operator_are_told_as_such() -> None:
    keyring = Keyring((OLD, NEW))

    with pytest.raises(UserError, match="cannot be removed"):
        keyring.remove(OLD)
    with pytest.raises(UserError, match="not in the keyring"):
        keyring.use(OTHER)
    with pytest.raises(UserError, match="16, 24 or 32"):
        keyring.add(b"short")
    keyring.remove(OTHER)

    assert keyring.keys == (OLD, NEW)


def test_a_keyring_is_never_empty() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Keyring(())


def test_no_key_is_ever_shown() -> None:
    keyring = Keyring((OLD, NEW))

    assert repr(keyring) == "Keyring(2 keys)"
    assert OLD.hex() not in str(vars(keyring).get("_primary"))


class Reversed:
    """A cipher of another make."""

    def __init__(self, key: bytes):
        self._tag = key[:16]

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        return data[::-1] + self._tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        if data[-16:] != self._tag:
            raise InvalidTag
        return data[-17::-1] if len(data) > 16 else b""


def test_the_cipher_is_exchangeable() -> None:
    cipher: type[Cipher] = Reversed
    keyring = Keyring((OLD, NEW), cipher)

    assert block(keyring)[1 + NONCE :] == b"olleh" + OLD[:16]
    assert keyring.decrypt(block(Keyring((NEW,), cipher)), b"") == b"hello"


def test_recorded_blocks_are_written_again_byte_for_byte() -> None:
    """Of each recorded datagram: its content under its nonce is the datagram."""
    recorded = [vector for vector in vectors.load("udp-encrypted") if "key-index:1" not in vector["expect"]["layers"]]
    for vector in recorded:
        data = bytes.fromhex(vector["hex"])
        keyring = Keyring(tuple(bytes.fromhex(key) for key in vector["keys"]))
        if data[0] == 1:
            assert keyring.encrypt(data[1 : 1 + NONCE], keyring.decrypt(data, b""), b"") == data

    assert len(recorded) > 100
