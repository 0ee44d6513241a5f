"""Names are looked up beside the loop, and what is none has no address."""

import asyncio
from ipaddress import IPv6Address

import pytest

from hepto.edge import names


@pytest.mark.parametrize("host", ["::1", "2001:db8::1"])
def test_an_address_is_its_own(host: str) -> None:
    assert asyncio.run(names.addresses(host)) == (IPv6Address(host),)


@pytest.mark.parametrize("host", ["no name at all", "a" * 64 + ".x", "127.0.0.1"])
def test_what_has_no_ipv6_address_has_none(host: str) -> None:
    assert asyncio.run(names.addresses(host)) == ()
