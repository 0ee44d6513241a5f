"""Datagrams against what Go has sent and refused, and against what nobody should send."""

import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip import codec, dialect, limits, lzw
from hepto.gossip.keyring import Keyring
from hepto.gossip.messages import PacketMessage, Ping, Suspect, User
from hepto.gossip.packet import PacketEnvelope
from hepto.gossip.reasons import GossipError
from hepto.gossip.wire import Envelope
from tests.gossip import vectors
from tests.gossip.test_codec import MESSAGES

RECORDED = [vector for name in ("udp-plain", "udp-encrypted", "udp-label") for vector in vectors.load(name)]
MALFORMED = vectors.load("malformed", "udp")

KEY = bytes(range(32))
PING = codec.encode(Ping(7))
SUSPECTS = tuple(codec.encode(Suspect(1, b"node-%d" % number, b"node-0")) for number in range(9))

# What the tolerant decoder of the vectors reads and our policy refuses, with our reason; the vectors' advice is to
# drop all of these but two.
REFUSED = {
    "bad-udp-alive-vsn-missing": "bad-versions",
    "bad-udp-alive-vsn-short2": "bad-versions",
    "bad-udp-alive-vsn-short3": "bad-versions",
    "bad-udp-alive-vsn-pmin0": "bad-versions",
    "bad-udp-alive-vsn-inverted": "bad-versions",
    "bad-udp-alive-vsn-future": "bad-versions",
    "bad-udp-alive-meta-600": "meta-too-large",
    "bad-udp-alive-addr-5": "bad-address",
    "bad-udp-alive-addr-0": "bad-address",
    "bad-udp-alive-name-empty": "bad-name",
    "bad-udp-indirect-no-target": "bad-address",
    "bad-udp-bomb-zero-39m": "decompressed-too-large",
    "bad-udp-alive-port-0": "bad-port",  # advice: process; but nobody has sent it since version 1 of the protocol
    "bad-udp-enc-version-swap": "crypto-padding",  # advice: either
}
# Parts that the vectors pass over in silence or read, and we name.
NAMED = {"bad-udp-compound-part-cut": ["short-read"], "bad-udp-compound-nested-20": ["nested-too-deep"]}
# Written by a script that did not put the keys in order.
SCRIPTED = {"serf-probe-suspect-1", "serf-probe-dead-1", "serf-probe-alive-3"}
TOO_DEEP = {"bad-udp-compound-nested-20"}


def envelope(label: bytes = b"", key: bytes | None = KEY, **settings: bool) -> PacketEnvelope:
    return PacketEnvelope(label, Keyring((key,)) if key else None, random_bytes=bytes, **settings)


def reason(receiver: PacketEnvelope, data: bytes) -> str:
    with pytest.raises(GossipError) as caught:
        receiver.open(data)
    return caught.value.reason


def compound(*parts: bytes) -> bytes:
    return bytes((7, len(parts))) + b"".join(len(part).to_bytes(2, "big") for part in parts) + b"".join(parts)


def compressed(data: bytes) -> bytes:
    return b"\x09\x82\xa4Algo\x00\xa3Buf" + dialect.raw(lzw.compress(data))


@pytest.mark.parametrize("vector", RECORDED, ids=lambda vector: vector["id"])
def test_a_recorded_datagram_is_read(vector: vectors.Vector) -> None:
    opened = vectors.envelope(vector).open(bytes.fromhex(vector["hex"]))

    assert opened.messages == tuple(map(vectors.message, vector["expect"]["messages"]))
    assert opened.bad == ()


@pytest.mark.parametrize(
    "vector", [vector for vector in RECORDED if vector["id"] not in SCRIPTED], ids=lambda vector: vector["id"]
)
def test_a_recorded_datagram_is_written_again_byte_for_byte(vector: vectors.Vector) -> None:
    """With its own nonce, and its own choice where compression hardly pays. Of version 0 the content."""
    data, layers = bytes.fromhex(vector["hex"]), vector["expect"]["layers"]
    messages = vectors.envelope(vector).open(data).messages
    label = vector.get("label", "").encode()
    header = bytes((244, len(label))) + label if label else b""
    keys = [bytes.fromhex(key) for key in vector.get("keys", ())]
    keyring = Keyring((keys[1 if "key-index:1" in layers else 0],)) if keys else None
    nonce = data[len(header) + 1 :][:12]
    if keyring and "encrypt-v0" in layers:
        data, keyring = header + keyring.decrypt(data[len(header) :], label), None

    sender = PacketEnvelope(label, keyring, random_bytes=lambda _: nonce, compress=False)
    parts = tuple(map(codec.encode, messages))
    if "compress-lzw" in layers:
        parts = (compressed(compound(*parts) if len(parts) > 1 else parts[0]),)

    assert sender.seal(parts, checksum="crc32" in layers) == data


@pytest.mark.parametrize("vector", MALFORMED, ids=lambda vector: vector["id"])
def test_a_malformed_datagram_is_treated_as_advised(vector: vectors.Vector) -> None:
    receiver, data, expected = vectors.envelope(vector), bytes.fromhex(vector["hex"]), vector["expect"]
    refusal = REFUSED.get(vector["id"]) or expected.get("error")

    if refusal:
        assert reason(receiver, data) == refusal
        assert vector["advice"] != "process" or vector["id"] == "bad-udp-alive-port-0"
    else:
        opened = receiver.open(data)
        good = [message for message in expected["messages"] if message["type"] != "bad"]
        bad = [message["reason"] for message in expected["messages"] if message["type"] == "bad"]
        assert list(opened.messages) == ([] if vector["id"] in TOO_DEEP else list(map(vectors.message, good)))
        assert [error.reason for error in opened.bad] == NAMED.get(vector["id"], bad)


def test_no_malformed_datagram_costs_noticeable_time() -> None:
    begin = time.process_time()

    for vector in MALFORMED:
        try:
            vectors.envelope(vector).open(bytes.fromhex(vector["hex"]))
        except GossipError:
            continue

    assert time.process_time() - begin < 0.5


SETTINGS = st.builds(
    envelope,
    st.sampled_from([b"", b"blue", bytes(255)]),
    st.sampled_from([None, bytes(16), KEY]),
    compress=st.booleans(),
)


@given(SETTINGS, st.lists(MESSAGES, min_size=1, max_size=20), st.booleans())
def test_what_was_sealed_is_opened_and_no_longer_than_said(
    settings: PacketEnvelope, messages: list[PacketMessage], checksum: bool
) -> None:
    parts = tuple(map(codec.encode, messages))

    sealed = settings.seal(parts, checksum=checksum)

    assert settings.open(sealed).messages == tuple(messages)
    assert len(sealed) <= sum(map(len, parts)) + settings.overhead + (2 * len(parts) if len(parts) > 1 else 0)


def test_a_packet_envelope_is_an_envelope() -> None:
    sealed: Envelope = envelope()

    assert sealed.overhead == 29 + 5 + 2


def test_the_checksum_is_over_all_that_follows_it() -> None:
    assert envelope(key=None).seal((PING,), checksum=True) == b"\x0c" + zlib.crc32(PING).to_bytes(4, "big") + PING


def test_short_and_incompressible_messages_are_sent_as_they_are() -> None:
    noise = b"\x08" + bytes(number * 167 % 256 for number in range(256))

    assert envelope(key=None).seal((PING,)) == PING
    assert envelope(key=None).seal((noise,)) == noise
    assert len(envelope(key=None).seal(SUSPECTS)) < 0.6 * len(compound(*SUSPECTS))
    assert envelope(key=None, compress=False).seal(SUSPECTS) == compound(*SUSPECTS)


@pytest.mark.parametrize("count", [0, 256])
def test_a_datagram_of_no_or_too_many_messages_is_a_mistake_of_ours(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 255"):
        envelope().seal((PING,) * count)


def test_an_empty_part_is_a_mistake_of_ours() -> None:
    """It would end the process of old receivers."""
    with pytest.raises(ValueError, match="empty"):
        envelope().seal((PING, b""))


def test_a_label_is_at_most_255_bytes_long() -> None:
    with pytest.raises(ValueError, match="255"):
        envelope(bytes(256))


def test_clusters_with_one_key_and_different_labels_do_not_mix() -> None:
    sealed = envelope(b"blue").seal((PING,))

    assert reason(envelope(b"red"), sealed) == "label-mismatch"
    assert reason(envelope(), sealed) == "label-mismatch"
    assert reason(envelope(b"red"), b"\xf4\x03red" + sealed[6:]) == "crypto-no-key"
    assert reason(envelope(b"blue"), envelope().seal((PING,))) == "label-mismatch"


def test_plain_input_is_refused_by_who_has_a_key() -> None:
    assert reason(envelope(), envelope(key=None).seal(SUSPECTS, checksum=True)) == "crypto-version"
    assert reason(envelope(), bytes((1,)) + PING * 9) == "crypto-no-key"


def test_a_running_cluster_moves_to_encryption_in_three_steps() -> None:
    plain, receiving = envelope(key=None), envelope(verify_incoming=False, verify_outgoing=False)
    sending, strict = envelope(verify_incoming=False), envelope()
    for pair in ((plain, receiving), (receiving, sending), (sending, strict)):
        for sender in pair:
            for receiver in pair:
                assert receiver.open(sender.seal((PING,))).messages == (Ping(7),)

    assert receiving.overhead == plain.overhead
    assert reason(strict, receiving.seal((PING,))).startswith("crypto-")


def test_neighbours_of_a_bad_part_survive() -> None:
    data = compound(PING, b"\x0e", codec.encode(Ping(8)), b"", b"\x00\x05", compressed(b""), codec.encode(Ping(9)))

    opened = envelope(key=None).open(data)

    assert opened.messages == (Ping(7), Ping(8), Ping(9))
    assert [error.reason for error in opened.bad] == ["unknown-type", "missing-type", "msgpack-type", "missing-type"]


def test_four_levels_of_wrapping_are_read_and_five_are_not() -> None:
    four = compound(compressed(compound(compressed(PING))))

    assert envelope(key=None).open(four).messages == (Ping(7),)
    assert [error.reason for error in envelope(key=None).open(compound(four)).bad] == ["nested-too-deep"]
    assert (
        reason(envelope(key=None), compressed(compressed(compressed(compressed(compressed(PING))))))
        == "nested-too-deep"
    )


def test_all_that_one_datagram_expands_to_counts_together() -> None:
    """Each part is within the limit; bombs in bombs would multiply."""
    bomb = compressed(b"\x08" + bytes(40_000))
    bombs = compressed(compound(*[bomb] * 50))
    begin = time.process_time()

    opened = envelope(key=None).open(compound(*[bombs] * 100))

    assert opened.messages == (User(bytes(40_000)),)
    assert {error.reason for error in opened.bad} == {"decompressed-too-large"}
    assert time.process_time() - begin < 0.25


def test_a_datagram_expands_to_its_limit_and_no_further() -> None:
    most = b"\x08" + bytes(limits.EXPANDED_PACKET - 1)

    assert envelope(key=None).open(compressed(most)).messages == (User(most[1:]),)
    assert reason(envelope(key=None), compressed(most + b"x")) == "decompressed-too-large"


@given(SETTINGS, st.binary(max_size=200))
def test_any_bytes_are_opened_or_refused_by_name(settings: PacketEnvelope, data: bytes) -> None:
    try:
        opened = settings.open(data)
    except GossipError as error:
        assert error.reason
    else:
        assert all(error.reason for error in opened.bad)


@given(SETTINGS, st.integers(0, 7), st.data())
def test_a_changed_bit_behind_the_version_of_an_encrypted_datagram_is_noticed(
    settings: PacketEnvelope, bit: int, data: st.DataObject
) -> None:
    if settings.keyring is None:
        return
    sealed = bytearray(settings.seal(SUSPECTS))
    sealed[data.draw(st.integers(1 + len(settings.label_header), len(sealed) - 1))] ^= 1 << bit

    assert reason(settings, bytes(sealed)) == "crypto-no-key"
