"""The network driver on a veth pair whose other end is a router in a namespace of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, IPv6Interface

from hepto.net import duplicates
from hepto.net.driver import NetworkDriver
from hepto.net.model import Settings, View
from init.contract.status import Reason
from tests.kernel.net.world import helper, ip, isolated, namespace, until, variable
from tests.net import packets

ADVERTISEMENT = packets.advertisement(
    packets.prefix("2001:db8:1::"),
    packets.mtu(1400),
    packets.rdnss("fe80::1", "2001:db8:1::53"),
    packets.dnssl("lab.internal"),
    packets.pref64("64:ff9b::"),
)
GUARDED: list[tuple[str, ...]] = []
REFUSALS: list[str] = []
"""What the firewall answers before it works."""
TROUBLE: list[str] = []


async def guard(underlay: tuple[str, ...]) -> None:
    """Stands for the firewall: notes whether an interface was on already."""
    for name in underlay:
        assert "UP" not in ip("link", "show", "dev", name)[0]["flags"], "turned on before it was guarded"
        assert variable("net/ipv6/conf/all/forwarding") == "0" or TROUBLE
    if REFUSALS:
        raise OSError(REFUSALS.pop())
    GUARDED.append(underlay)


def run(settings: Settings, story: Callable[[NetworkDriver], Awaitable[None]]) -> None:
    """The driver beside a story."""

    async def both() -> None:
        views: list[View] = []
        driver = NetworkDriver(settings, guard, views.append, TROUBLE.append)
        task = asyncio.create_task(driver.run())
        try:
            await story(driver)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(both())


def reason(driver: NetworkDriver) -> Reason | None:
    return driver.view.missing.reason if driver.view.missing else None


@isolated
def test_the_underlay_comes_up_by_advertisements_and_keeps_its_route_when_it_forwards() -> None:
    namespace("router", "u0", "eth0", "fe80::1/64")
    ip("link", "add", "other0", "type", "bridge")

    async def story(driver: NetworkDriver) -> None:
        with helper("tests.kernel.net.router", ADVERTISEMENT.hex(), inside="router") as router:
            await until(lambda: reason(driver) is None and driver.view.interface == "u0", "the underlay is up")
            view = driver.view
            assert view.gateways == (IPv6Address("fe80::1"),)
            assert view.addresses[0] in IPv6Interface("2001:db8:1::/64").network
            assert (view.mtu, view.search) == (1400, ("lab.internal",))
            assert view.resolvers == ("fe80::1%u0", "2001:db8:1::53")
            assert str(view.nat64) == "64:ff9b::/96"
            assert variable("net/ipv6/conf/all/forwarding") == "1"
            assert variable("net/ipv6/conf/u0/accept_ra") == "2"
            assert variable("net/ipv6/conf/other0/accept_ra") == "0"
            assert variable("net/ipv6/conf/default/accept_ra") == "0"
            assert [route["gateway"] for route in ip("-6", "route", "show", "default")] == ["fe80::1"]
            assert router.stdout is not None
            assert router.stdout.readline() == "solicited from ::\n", "the first question waits for no address"

    run(Settings(iface="u0"), story)
    assert GUARDED == [("u0",)]


@isolated
def test_what_is_missing_is_named_from_interface_to_router() -> None:
    async def story(driver: NetworkDriver) -> None:
        await until(lambda: reason(driver) is Reason.INTERFACE, "no interface")
        namespace("router", "u0", "eth0", "fe80::1/64")
        await until(lambda: reason(driver) is Reason.ROUTER, "no router")
        ip("link", "set", "eth0", "down", inside="router")
        await until(lambda: reason(driver) is Reason.CARRIER, "no carrier")

    run(Settings(iface="u0"), story)


@isolated
def test_a_static_node_needs_no_router() -> None:
    namespace("router", "u0", "eth0", "fe80::1/64")
    settings = Settings("u0", IPv6Interface("2001:db8:1::5/64"), IPv6Address("fe80::1"), (IPv6Address("2001:db8::53"),))

    async def story(driver: NetworkDriver) -> None:
        await until(lambda: reason(driver) is None and bool(driver.view.interface), "the underlay is up")
        assert driver.view.addresses == (IPv6Address("2001:db8:1::5"),)
        assert driver.view.resolvers == ("2001:db8::53",)
        (default,) = ip("-6", "route", "show", "default")
        assert (default["gateway"], default["dev"]) == ("fe80::1", "u0")

    run(settings, story)


@isolated
def test_an_address_that_another_machine_has_is_named_and_tried_again() -> None:
    duplicates.AGAIN_SECONDS = 1.0
    namespace("router", "u0", "eth0", "fe80::1/64", "2001:db8:1::5/64")
    settings = Settings("u0", IPv6Interface("2001:db8:1::5/64"), IPv6Address("fe80::1"))

    async def story(driver: NetworkDriver) -> None:
        await until(lambda: "another machine" in (driver.view.missing.what if driver.view.missing else ""), "duplicate")
        assert reason(driver) is Reason.ADDRESS
        assert driver.view.missing is not None
        assert "2001:db8:1::5" in driver.view.missing.what
        ip("address", "del", "2001:db8:1::5/64", "dev", "eth0", inside="router")
        await until(lambda: driver.view.missing is None, "it is free, and taken")

    run(settings, story)


def on_link(network: str) -> bool:
    """The interface takes the hosts of this network for neighbours."""
    return any(found["dst"] == network for found in ip("-6", "route", "show", "dev", "u0"))


def global_addresses() -> set[str]:
    shown = [
        found for link in ip("-6", "address", "show", "dev", "u0", "scope", "global") for found in link["addr_info"]
    ]
    return {found["local"][:12] for found in shown if found}


@isolated
def test_in_another_network_nothing_of_the_former_one_is_left() -> None:
    """The kernel alone keeps address and on-link route for a day."""
    namespace("router", "u0", "eth0", "fe80::1/64")
    another = packets.advertisement(packets.prefix("2001:db8:2::"), packets.rdnss("2001:db8:2::53"))

    async def story(driver: NetworkDriver) -> None:
        with helper("tests.kernel.net.router", ADVERTISEMENT.hex(), inside="router"):
            await until(lambda: driver.view.missing is None, "it is complete")
        assert on_link("2001:db8:1::/64")
        ip("link", "set", "eth0", "down", inside="router")
        ip("link", "set", "eth0", "up", inside="router")
        ip("address", "replace", "fe80::1/64", "dev", "eth0", "nodad", inside="router")
        with helper("tests.kernel.net.router", another.hex(), inside="router"):
            await until(lambda: global_addresses() == {"2001:db8:2:0"}, "only the new address is left")
        assert on_link("2001:db8:2::/64")
        assert not on_link("2001:db8:1::/64")
        assert driver.view.resolvers == ("2001:db8:2::53",)

    run(Settings(iface="u0"), story)


@isolated
def test_an_advertisement_that_a_router_has_forwarded_is_refused_and_counted() -> None:
    namespace("router", "u0", "eth0", "fe80::1/64")
    forged = packets.advertisement(packets.rdnss("2001:db8:bad::1")).hex()

    async def story(driver: NetworkDriver) -> None:
        with helper("tests.kernel.net.router", forged, "64", inside="router"):
            await until(lambda: driver.refused.get("forwarded", 0) > 0, "it is counted")
        assert driver.view.resolvers is None
        assert reason(driver) is Reason.ROUTER

    run(Settings(iface="u0"), story)


@isolated
def test_no_interface_is_turned_on_without_the_firewall_and_it_is_tried_again() -> None:
    namespace("router", "u0", "eth0", "fe80::1/64")
    REFUSALS.append("nft: no such module")

    async def story(driver: NetworkDriver) -> None:
        await until(lambda: bool(TROUBLE), "the trouble is told")
        assert "nft: no such module" in TROUBLE[0]
        assert "UP" not in ip("link", "show", "dev", "u0")[0]["flags"]
        await until(lambda: TROUBLE[-1] == "", "it works at the second try")
        await until(lambda: reason(driver) is Reason.ROUTER, "the interface is on")

    run(Settings(iface="u0"), story)
