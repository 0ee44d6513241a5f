"""Datagrams over the loopback interface."""

import asyncio
import errno
import socket

import pytest

from hepto.edge.datagrams import MOST_AT_ONCE, Datagrams, packed, text

HERE = packed("::1")


class Ear:
    """Collects what a socket hears."""

    def __init__(self, port: int = 0):
        self.heard: list[bytes] = []
        self.refusals: list[tuple[bytes, int]] = []
        self.news = asyncio.Event()
        self.datagrams = Datagrams(HERE, port, self._receive, self._refuse)
        self.port: int = self.datagrams._socket.getsockname()[1]

    def _receive(self, data: bytes, ip: bytes, port: int) -> None:
        assert ip == HERE
        self.heard.append(data)
        self.news.set()

    def _refuse(self, ip: bytes, port: int) -> None:
        self.refusals.append((ip, port))
        self.news.set()


def free_port() -> int:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as taken:
        taken.bind(("::1", 0))
        port: int = taken.getsockname()[1]
    return port


def test_a_burst_arrives_in_order_and_a_large_one_whole() -> None:
    async def story() -> list[bytes]:
        one, two = Ear(), Ear()
        sent = [b"%d" % number for number in range(2 * MOST_AT_ONCE)] + [bytes(60000), b""]
        for data in sent:
            one.datagrams.send(HERE, two.port, data)
        while len(two.heard) < len(sent):
            two.news.clear()
            await two.news.wait()
        one.datagrams.close()
        two.datagrams.close()
        assert two.heard == sent
        return one.heard

    assert asyncio.run(asyncio.wait_for(story(), 5)) == []


def test_nobody_there_is_told_and_costs_no_later_datagram() -> None:
    async def story() -> None:
        one, two, nobody = Ear(), Ear(), free_port()
        one.news = two.news
        one.datagrams.send(HERE, nobody, b"?")
        one.datagrams.send(HERE, two.port, b"hello")  # the kernel tells of the error above before it sends this
        while not (one.refusals and two.heard):
            two.news.clear()
            await two.news.wait()

        assert one.refusals == [(HERE, nobody)]
        assert two.heard == [b"hello"]
        one.datagrams.close()
        two.datagrams.close()

    asyncio.run(asyncio.wait_for(story(), 5))


@pytest.mark.parametrize(
    ("ip", "port", "size"),
    [(bytes((192, 0, 2, 1)), 9, 1), (bytes(10) + b"\xff\xff\xc0\0\2\1", 9, 1), (HERE, 9, 70000)],
    ids=["IPv4", "IPv4 in its mapped form", "too large"],
)
def test_what_cannot_be_sent_is_lost_in_silence(ip: bytes, port: int, size: int) -> None:
    async def story() -> None:
        one = Ear()
        one.datagrams.send(ip, port, bytes(size))
        one.datagrams.close()

    asyncio.run(story())


def test_a_taken_port_is_an_error_at_once() -> None:
    async def story() -> int | None:
        one = Ear()
        try:
            with pytest.raises(OSError) as caught:
                Ear(one.port)
        finally:
            one.datagrams.close()
        return caught.value.errno

    assert asyncio.run(story()) == errno.EADDRINUSE


def test_addresses_are_written_as_ipv6() -> None:
    assert text(bytes((192, 0, 2, 1))) == "::ffff:192.0.2.1"
    assert text(HERE) == "::1"
    assert packed("fe80::1%eth0") == packed("fe80::1")
