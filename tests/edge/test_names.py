"""Names are looked up beside the loop, and what is none has no address."""

import asyncio
import socket
from ipaddress import IPv6Address

import pytest

from hepto.edge import names


@pytest.mark.parametrize("host", ["::1", "2001:db8::1"])
def test_an_address_is_its_own(host: str) -> None:
    assert asyncio.run(names.addresses(host)) == (IPv6Address(host),)


@pytest.mark.parametrize("host", ["no name at all", "a" * 64 + ".x", "127.0.0.1"])
def test_what_has_no_ipv6_address_has_none(host: str) -> None:
    assert asyncio.run(names.addresses(host)) == ()


@pytest.mark.parametrize(("family", "expected"), [(socket.AF_INET, ("127.0.0.1",)), (socket.AF_INET6, ())])
def test_a_family_is_asked_for_alone(family: socket.AddressFamily, expected: tuple[str, ...]) -> None:
    assert asyncio.run(names.look_up("127.0.0.1", family, 10.0)) == expected


def test_no_answer_in_time_is_not_the_answer_that_there_is_none() -> None:
    assert asyncio.run(names.look_up("::1", socket.AF_INET6, 0.0)) is None
    assert asyncio.run(names.addresses("::1", 0.0)) == ()
