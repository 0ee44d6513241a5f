"""Advertisements against bytes written out by hand from RFC 4861, RFC 8106 and RFC 8781."""

from ipaddress import IPv6Address, IPv6Network

import pytest

from hepto.lab.advertise import Advertisement, Nat64, Prefix, Resolvers, SearchDomains

PREFIX = IPv6Network("2001:db8:1::/64")


def test_a_bare_advertisement_is_its_sixteen_byte_header() -> None:
    assert Advertisement(lifetime=1800).encode() == bytes.fromhex("86000000 40 00 0708 00000000 00000000")


def test_flags_managed_and_other_are_the_two_upper_bits() -> None:
    assert Advertisement(managed=True).encode()[5] == 0x80
    assert Advertisement(other=True).encode()[5] == 0x40
    assert Advertisement(managed=True, other=True).encode()[5] == 0xC0


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ({"link_layer_address": bytes.fromhex("525400000001")}, "01 01 525400000001"),
        ({"mtu": 1500}, "05 01 0000 000005dc"),
        (
            {"prefixes": (Prefix(PREFIX, valid=86400, preferred=14400),)},
            "03 04 40 c0 00015180 00003840 00000000 20010db8000100000000000000000000",
        ),
        (
            {"prefixes": (Prefix(PREFIX, 0, 0, on_link=False, autonomous=False),)},
            "03 04 40 00 00000000 00000000 00000000 20010db8000100000000000000000000",
        ),
        (
            {"resolvers": (Resolvers((IPv6Address("2001:db8:1::1"),), 1800),)},
            "19 03 0000 00000708 20010db8000100000000000000000001",
        ),
        (
            {"resolvers": (Resolvers((IPv6Address("fe80::1"), IPv6Address("fe80::2")), 0),)},
            "19 05 0000 00000000 fe800000000000000000000000000001 fe800000000000000000000000000002",
        ),
        (
            {"search_domains": (SearchDomains(("lab.internal",), 1800),)},
            "1f 03 0000 00000708 03 6c6162 08 696e7465726e616c 00 0000",
        ),
        (
            {"search_domains": (SearchDomains(("a.b.", "c"), 60),)},
            "1f 02 0000 0000003c 01 61 01 62 00 01 63 00",
        ),
        (
            {"nat64": (Nat64(IPv6Network("64:ff9b::/96"), 1800),)},
            "26 02 0708 0064ff9b0000000000000000",
        ),
    ],
    ids=["source", "mtu", "prefix", "withdrawn-prefix", "rdnss", "rdnss-two", "dnssl", "dnssl-two", "pref64"],
)
def test_an_option_has_the_bytes_of_its_rfc(given: dict[str, object], option: str) -> None:
    encoded = Advertisement(**given).encode()  # type: ignore[arg-type]  # rows of a table

    assert encoded[16:] == bytes.fromhex(option)


def test_options_fill_units_of_eight_bytes_in_the_order_of_the_class() -> None:
    encoded = Advertisement(
        link_layer_address=b"\2\0\0\0\0\1",
        mtu=1280,
        prefixes=(Prefix(PREFIX), Prefix(IPv6Network("2001:db8:9::/64"))),
        resolvers=(Resolvers((IPv6Address("::1"),)),),
        search_domains=(SearchDomains(("example.org",)),),
    ).encode()
    kinds, at = [], 16
    while at < len(encoded):
        kinds.append(encoded[at])
        at += encoded[at + 1] * 8

    assert kinds == [1, 5, 3, 3, 25, 31]
    assert at == len(encoded)
