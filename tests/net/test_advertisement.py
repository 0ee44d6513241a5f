from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.errors import PeerError
from hepto.net.advertisement import (
    INFINITE,
    Advertisement,
    MoreSpecific,
    Nat64,
    Preference,
    Prefix,
    Resolvers,
    Search,
    parse,
)
from tests.net import packets
from tests.net.packets import ROUTER, advertisement

USUAL = bytes.fromhex(
    # By hand, in the order in which radvd puts them: header, prefix, RDNSS, DNSSL, MTU, source link-layer address.
    "8600000040000708 0000000000000000"
    "030440c000015180 0000384000000000 20010db800010000 0000000000000000"
    "1903000000000708 20010db800010000 0000000000000001"
    "1f03000000000708 036c616208696e74 65726e616c000000"
    "05010000000005d4"
    "0101020000000001".replace(" ", "")
)


def test_an_ordinary_advertisement_is_read_whole() -> None:
    expected = Advertisement(
        router=ROUTER,
        lifetime=1800,
        mtu=1492,
        prefixes=(Prefix(IPv6Network("2001:db8:1::/64"), True, True, 86400, 14400),),
        resolvers=(Resolvers((IPv6Address("2001:db8:1::1"),), 1800),),
        search=(Search(("lab.internal",), 1800),),
    )

    assert parse(USUAL, ROUTER, 255) == expected


def test_routes_preference_flags_and_nat64_are_read() -> None:
    data = advertisement(
        packets.route("2001:db8:8000::", 33, flags=0x08),
        packets.route("::", 0, flags=0x18, lifetime=INFINITE),
        packets.pref64("64:ff9b::"),
        packets.pref64("2001:db8:64::", code=3, lifetime=80),
        flags=0x80 | 0x40 | 0x08,
    )

    found = parse(data, ROUTER, 255)

    assert (found.managed, found.other, found.preference) == (True, True, Preference.HIGH)
    assert found.routes == (
        MoreSpecific(IPv6Network("2001:db8:8000::/33"), Preference.HIGH, 600),
        MoreSpecific(IPv6Network("::/0"), Preference.LOW, INFINITE),
    )
    assert found.nat64 == (
        Nat64(IPv6Network("64:ff9b::/96"), 1800),
        Nat64(IPv6Network("2001:db8:64::/48"), 80),
    )


@pytest.mark.parametrize(
    ("flags", "lifetime", "expected"),
    [
        (0x00, 60, Preference.MEDIUM),
        (0x08, 60, Preference.HIGH),
        (0x18, 60, Preference.LOW),
        (0x10, 60, Preference.MEDIUM),  # reserved: RFC 4191 section 2.2
        (0x08, 0, Preference.MEDIUM),  # not a default router: the preference has to be ignored
    ],
)
def test_reserved_preferences_are_medium(flags: int, lifetime: int, expected: Preference) -> None:
    assert parse(advertisement(flags=flags, lifetime=lifetime), ROUTER, 255).preference is expected


@pytest.mark.parametrize(
    ("data", "source", "hop_limit", "reason"),
    [
        (USUAL, ROUTER, 254, "forwarded"),
        (USUAL, IPv6Address("2001:db8::1"), 255, "source"),
        (USUAL, IPv6Address("::"), 255, "source"),
        (USUAL[:15], ROUTER, 255, "length"),
        (USUAL + bytes(9000), ROUTER, 255, "length"),
        (b"\x85" + USUAL[1:], ROUTER, 255, "type"),
        (USUAL[:1] + b"\1" + USUAL[2:], ROUTER, 255, "type"),
        (advertisement(b"\x05\x00\0\0\0\0\0\0"), ROUTER, 255, "option"),
        (advertisement(b"\x05\x02\0\0\0\0\0\0"), ROUTER, 255, "option"),
        (advertisement(b"\x05"), ROUTER, 255, "option"),
        (advertisement(*[b"\xfe\x01" + bytes(6)] * 300), ROUTER, 255, "option"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(data: bytes, source: IPv6Address, hop_limit: int, reason: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse(data, source, hop_limit)

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "option",
    [
        packets.prefix("2001:db8::", length=129),
        packets.prefix("fe80::"),
        packets.prefix("2001:db8::", valid=10, preferred=11),
        packets.mtu(1279),
        packets.rdnss(),
        packets.rdnss("ff02::1", "::"),
        packets.rdnss("2001:db8::1")[:-8].replace(b"\x19\x03", b"\x19\x02"),
        packets.route("2001:db8::", 64, flags=0x10),
        packets.route("2001:db8::", 64)[:-8].replace(b"\x18\x02", b"\x18\x01"),
        packets.pref64("64:ff9b::", code=6),
        b"\xfe\x01" + bytes(6),
    ],
    ids=str,
)
def test_a_bad_or_unknown_option_is_left_out_and_the_rest_is_taken(option: bytes) -> None:
    assert parse(advertisement(option), ROUTER, 255) == parse(advertisement(), ROUTER, 255)


@pytest.mark.parametrize("name", ["bad name", "a;b", "evil\nnameserver ::1", "x" * 64 + ".org", "é.org"])
def test_a_search_domain_that_could_mean_something_else_in_resolv_conf_is_left_out(name: str) -> None:
    data = advertisement(packets.dnssl("first.example", name) if len(name) < 60 else packets.dnssl(name))

    domains = [domain for search in parse(data, ROUTER, 255).search for domain in search.domains]

    assert domains in ([], ["first.example"])


def test_domains_are_lower_case_and_the_list_is_bounded() -> None:
    data = advertisement(*(packets.dnssl(*[f"D{number}.example" for number in range(100)]),))

    domains = parse(data, ROUTER, 255).search[0].domains

    assert domains[0] == "d0.example"
    assert len(domains) == 64


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_an_advertisement_or_refused(tail: bytes, cut: int) -> None:
    for data in (tail, USUAL[:16] + tail, (USUAL + tail)[:cut]):
        try:
            found = parse(data, ROUTER, 255)
        except PeerError:
            continue
        assert found.mtu is None or found.mtu >= 1280
