"""Who keeps copies, which are wanted, and what a keeper takes: whole, encrypted, and no more than it has room for."""

import random
from datetime import UTC, datetime, timedelta

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.backup import age, copies, schedule
from hepto.backup.copies import Arrival, Offer, Refused
from hepto.backup.driver import GZIP
from hepto.errors import PeerError
from hepto.wireguard import public_key
from tests.backup import agefiles

FINGERPRINT = "ab" * 32
NOW = datetime(2026, 11, 30, 16, 15, tzinfo=UTC)
NEEDS_KEY = ("x25519_low_order", "x25519_identity")
"""What is wrong there shows when the file is opened."""
OTHERS = ("x25519_lowercase",)
"""Recipients of another kind, which hepto does not encrypt to."""
LABELS = st.integers(0, 999).map("node{}".format)


def name(hours: int, node: str = "one") -> str:
    return schedule.name("demo", node, NOW + timedelta(hours=hours), encrypted=True)


def file(content: bytes = b"the cluster", recipients: int = 2) -> bytes:
    keys = [public_key(bytes([number + 1]) * 32) for number in range(recipients)]
    return b"".join(age.encrypt(keys, [content], random.Random(1).randbytes))


def taken(data: bytes, size: int | None = None, step: int = 100) -> bytes:
    """What is written of a file that comes in pieces. Raises PeerError."""
    arrival = Arrival(Offer(name(0), len(data) if size is None else size))
    found = b"".join(arrival.feed(data[place : place + step]) for place in range(0, len(data), step))
    arrival.end()
    return found


def refusal(data: bytes, size: int | None = None, step: int = 100) -> str:
    with pytest.raises(PeerError) as caught:
        taken(data, size, step)
    return caught.value.reason


class TestKeepers:
    @given(st.sets(LABELS, max_size=30))
    def test_two_of_all_keep_copies_whoever_looks(self, names: set[str]) -> None:
        found = copies.keepers(FINGERPRINT, names)

        assert found == copies.keepers(FINGERPRINT, sorted(names, reverse=True))
        assert len(found) == min(copies.KEEPERS, len(names))
        assert set(found) <= names

    @given(st.sets(LABELS, min_size=3, max_size=30), st.data())
    def test_who_goes_is_replaced_by_one_and_the_others_stay(self, names: set[str], data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(sorted(names)))
        before, after = (set(copies.keepers(FINGERPRINT, some)) for some in (names, names - {gone}))

        assert before - after == before & {gone}
        assert len(after - before) == len(before & {gone})

    def test_not_the_same_nodes_keep_those_of_every_cluster(self) -> None:
        names = [f"node{number}" for number in range(20)]

        assert len({copies.keepers(f"{number:064x}", names) for number in range(20)}) > 10


class TestWanted:
    def test_the_newest_comes_first(self) -> None:
        offers = [Offer(name(hours), 10) for hours in (2, 0, 1)]

        assert [offer.name for offer in copies.wanted(offers, ())] == [name(2), name(1), name(0)]
        assert [offer.name for offer in copies.wanted(offers, (name(1),))] == [name(2), name(0)]

    def test_what_would_go_at_once_is_not_fetched(self) -> None:
        have = [name(hours) for hours in range(10, 15)]

        assert copies.wanted([Offer(name(9), 10)], have) == ()

    @given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
    def test_then_it_has_the_last_five_of_both(self, offered: set[int], held: set[int]) -> None:
        have = {name(hours) for hours in held}
        found = copies.wanted([Offer(name(hours), 10) for hours in offered], have)
        result = have | {offer.name for offer in found}
        kept = result - set(schedule.surplus(result))

        assert kept == {name(hours) for hours in sorted(offered | held)[-schedule.KEPT :]}
        assert {offer.name for offer in found} <= kept


class TestRoom:
    @given(st.integers(0, 1 << 42), st.integers(0, 1 << 40), st.integers(0, 1 << 40))
    def test_a_fifth_of_the_disk_stays_free(self, total: int, free: int, size: int) -> None:
        try:
            copies.check_room(Offer(name(0), size), min(free, total), total)
        except PeerError as error:
            assert error.reason in (Refused.NO_ROOM, Refused.TOO_LARGE)
        else:
            assert min(free, total) - size >= total // 5
            assert size <= copies.MOST_BYTES

    def test_what_is_wrong_is_named(self) -> None:
        for size, free, reason in ((76, 100, Refused.NO_ROOM), (copies.MOST_BYTES + 1, 1 << 40, Refused.TOO_LARGE)):
            with pytest.raises(PeerError) as caught:
                copies.check_room(Offer(name(0), size), free, free * 10 // 8)
            assert caught.value.reason == reason
        copies.check_room(Offer(name(0), 75), 100, 125)


class TestArrival:
    @pytest.mark.parametrize("step", [1, 7, 100, 1 << 20])
    @pytest.mark.parametrize("recipients", [1, 5])
    def test_an_encrypted_file_comes_through_as_it_is(self, step: int, recipients: int) -> None:
        for content in (b"", b"x", bytes(2 * age.CHUNK)):
            data = file(content, recipients)

            assert taken(data, step=max(step, len(data) // 5000)) == data

    def test_nothing_is_written_before_it_is_known_to_be_encrypted(self) -> None:
        data = file()
        end = data.index(b"\n--- ") + 4
        arrival = Arrival(Offer(name(0), len(data)))

        assert arrival.feed(data[:end]) == b""
        assert arrival.feed(data[end:]) == data

    @pytest.mark.parametrize(
        "data",
        [
            GZIP + bytes(1000),
            b"age-encryption.org/v2\n" + bytes(1000),
            b"-----BEGIN AGE ENCRYPTED FILE-----\n" * 10,
            age.MAGIC,
            age.MAGIC + b"--- " + b"A" * 43 + b"\n" + bytes(100),
            age.MAGIC + b"-> X25519 \n" * 1000,
            age.MAGIC + b"\0" * (copies.MOST_HEAD + 1),
            b"",
        ],
        ids=["gzip", "version", "armour", "magic", "nobody", "no key", "no end", "empty"],
    )
    def test_what_is_not_encrypted_is_refused(self, data: bytes) -> None:
        assert {refusal(data, step=step) for step in (10, 1 << 20)} == {Refused.PLAIN}

    def test_a_head_without_end_is_held_no_longer_than_its_limit(self) -> None:
        arrival, held = Arrival(Offer(name(0), 1 << 30)), age.MAGIC
        line = b"-> X25519 " + b"A" * 89 + b"\n"
        arrival.feed(held)
        while len(held) + len(line) <= copies.MOST_HEAD:
            assert arrival.feed(line) == b""
            held += line

        with pytest.raises(PeerError) as caught:
            arrival.feed(line)
        assert caught.value.reason == Refused.PLAIN

    def test_a_passphrase_is_no_recipient(self) -> None:
        (both,) = (one for one in agefiles.load() if one.name == "scrypt_and_x25519")
        line = b"-> scrypt " + b"A" * 22 + b" 10\n" + b"A" * 43 + b"\n"
        alone = age.MAGIC + line + b"--- " + b"A" * 43 + b"\n" + bytes(32)

        assert [refusal(data) for data in (both.data, alone)] == [Refused.PLAIN, Refused.PLAIN]

    @pytest.mark.parametrize("one", agefiles.load(), ids=lambda one: one.name)
    def test_heads_of_age_s_own_suite_are_judged_as_it_wants(self, one: agefiles.AgeFile) -> None:
        """As far as they can be without a key."""
        if one.name in OTHERS:
            assert refusal(one.data) == Refused.PLAIN
        elif one.said["expect"] != "header failure":
            if len(one.data) - one.data.index(b"\n--- ") > 48 + copies.LEAST_PAYLOAD:
                assert taken(one.data) == one.data
        elif one.name not in NEEDS_KEY:
            assert refusal(one.data) in (Refused.PLAIN, Refused.LENGTH)

    def test_it_is_as_long_as_it_was_said_to_be(self) -> None:
        data = file()

        assert refusal(data, len(data) + 1) == Refused.LENGTH
        assert refusal(data, len(data) - 1) == Refused.LENGTH
        assert refusal(data[:-40], len(data)) == Refused.LENGTH
        assert refusal(data[: data.index(b"\n--- ") + 49]) == Refused.LENGTH

    @given(st.binary(max_size=300), st.integers(1, 50))
    def test_any_bytes_are_taken_whole_or_refused_by_name(self, data: bytes, step: int) -> None:
        for start in (b"", age.MAGIC, file()[:150]):
            whole = start + data
            try:
                assert taken(whole, step=step) == whole
            except PeerError as error:
                assert error.reason in (Refused.PLAIN, Refused.LENGTH)
            else:
                assert age.recipients(whole) is not None


class TestMessages:
    @given(st.lists(st.integers(0, 1000), max_size=10), st.integers(0, (1 << 63) - 1))
    def test_what_is_said_is_heard(self, hours: list[int], size: int) -> None:
        names = tuple(name(one) for one in hours)
        offers = tuple(Offer(one, size) for one in names)

        assert copies.load_names(copies.dump_names(names)) == names
        assert copies.load_offers(copies.dump_offers(offers), "demo", "one") == offers

    @given(st.binary(max_size=200))
    def test_any_bytes_are_a_message_or_a_named_reason(self, data: bytes) -> None:
        for read in (copies.load_names, lambda one: copies.load_offers(one, "demo", "one")):
            with pytest.raises(PeerError) as caught:
                read(data)
            assert caught.value.reason == Refused.MALFORMED

    @pytest.mark.parametrize(
        "bad",
        [
            "../../etc/passwd",
            "../demo-one-20261130T161500Z.age",
            "demo/one-20261130T161500Z.age",
            ".demo-one-20261130T161500Z.age",
            "demo-one-20261130T161500Z.tar.gz",
            "demo-one-20261330T161500Z.age",
            "demo-one-20261130T161500Z.age\n",
            "x" * 300 + "-20261130T161500Z.age",
            "",
            7,
            None,
        ],
    )
    def test_a_name_leads_nowhere_else(self, bad: object) -> None:
        for read, value in (
            (copies.load_names, {"names": [bad]}),
            (lambda data: copies.load_offers(data, "demo", "one"), {"backups": [[bad, 10]]}),
        ):
            with pytest.raises(PeerError) as caught:
                read(msgpack.packb(value))
            assert caught.value.reason == Refused.MALFORMED

    @pytest.mark.parametrize("size", [-1, 1 << 63, 1.5, True, "1", None])
    def test_a_size_is_a_number_of_bytes(self, size: object) -> None:
        with pytest.raises(PeerError) as caught:
            copies.load_offers(msgpack.packb({"backups": [[name(0), size]]}), "demo", "one")

        assert caught.value.reason == Refused.MALFORMED

    def test_a_master_offers_its_own_backups_only(self) -> None:
        for cluster, node in (("demo", "two"), ("another", "one")):
            with pytest.raises(PeerError) as caught:
                copies.load_offers(copies.dump_offers([Offer(name(0), 1)]), cluster, node)
            assert caught.value.reason == Refused.NAME

    def test_there_are_not_too_many(self) -> None:
        for data in (copies.dump_names([name(0)] * (copies.MOST_NAMES + 1)), bytes(copies.MOST_MESSAGE + 1)):
            with pytest.raises(PeerError) as caught:
                copies.load_names(data)
            assert caught.value.reason == Refused.MALFORMED
