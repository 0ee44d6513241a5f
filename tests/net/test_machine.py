import random
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hepto.machine import Effect, Note
from hepto.net.advertisement import Advertisement, Nat64, Prefix, Resolvers, Search
from hepto.net.duplicates import AGAIN_SECONDS
from hepto.net.machine import FIRST_INTERVAL, LONGEST_INTERVAL, NetworkMachine
from hepto.net.model import (
    PUBLIC_RESOLVERS,
    Address,
    Again,
    Close,
    Interface,
    Missing,
    Observed,
    Open,
    Received,
    SetAddress,
    SetGateway,
    Settings,
    Solicit,
)
from init.contract.status import Reason

ROUTER = IPv6Address("fe80::1")
GLOBAL = IPv6Interface("2001:db8:1::5/64")
NETWORK = IPv6Network("2001:db8:1::/64")
USUAL = Advertisement(
    ROUTER,
    lifetime=1800,
    mtu=1400,
    prefixes=(Prefix(NETWORK, True, True, 86400, 14400),),
    resolvers=(Resolvers((IPv6Address("fe80::53"), IPv6Address("2001:db8::53")), 600),),
    search=(Search(("lab.internal",), 600),),
    nat64=(Nat64(IPv6Network("64:ff9b::/96"), 600),),
)
ETH0 = Interface(2, "eth0")
ETH1 = Interface(3, "eth1")
LOOPBACK = Interface(1, "lo", ethernet=False, up=True, carrier=True)


def connected(item: Interface) -> Interface:
    return replace(item, up=True, carrier=True)


def addressed(item: Interface) -> Interface:
    return replace(connected(item), addresses=(Address(GLOBAL),), gateways=(ROUTER,))


class Story:
    """A machine with literal times, and what it wanted to be done."""

    def __init__(self, settings: Settings | None = None):
        self.machine = NetworkMachine(settings or Settings(), random.Random(1))
        self.now = 0.0

    def see(self, *interfaces: Interface) -> tuple[Effect, ...]:
        self.machine.handle(Observed((LOOPBACK, *interfaces)), self.now)
        return self.effects()

    def hear(self, advertisement: Advertisement, index: int = 2) -> tuple[Effect, ...]:
        self.machine.handle(Received(index, advertisement), self.now)
        return self.effects()

    def wait(self) -> tuple[Effect, ...]:
        """Go on to the deadline."""
        deadline = self.machine.deadline()
        assert deadline is not None
        assert deadline > self.now
        self.now = deadline
        self.machine.tick(self.now)
        return self.effects()

    def effects(self) -> tuple[Effect, ...]:
        return tuple(effect for effect in self.machine.effects() if not isinstance(effect, Note))

    def missing(self) -> Missing:
        assert self.machine.view.missing is not None
        return self.machine.view.missing


def opened(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.name for effect in effects if isinstance(effect, Open)]


def test_from_nothing_to_complete_naming_each_step_that_is_missing() -> None:
    story = Story()
    assert story.see() == ()
    assert story.missing().reason is Reason.INTERFACE

    assert opened(story.see(ETH0)) == ["eth0"]
    assert (story.missing().reason, story.missing().subject) == (Reason.CARRIER, "eth0")

    assert story.see(connected(ETH0)) == (Solicit(2, "eth0"),)
    assert (story.missing().reason, story.missing().subject) == (Reason.ROUTER, "eth0")

    assert story.hear(USUAL) == ()
    assert story.machine.view.interface == "eth0"
    assert story.missing().reason is Reason.ROUTER  # the kernel has not made the route yet

    story.see(replace(connected(ETH0), gateways=(ROUTER,), addresses=(Address(GLOBAL, tentative=True),)))
    assert (story.missing().reason, story.missing().hint) == (Reason.ADDRESS, "it takes a second")

    story.see(addressed(ETH0))
    view = story.machine.view
    assert view.missing is None
    assert view.addresses == (GLOBAL.ip,)
    assert view.gateways == (ROUTER,)
    assert view.mtu == 1400
    assert view.resolvers == ("fe80::53%eth0", "2001:db8::53")
    assert view.search == ("lab.internal",)
    assert view.nat64 == IPv6Network("64:ff9b::/96")
    assert view.heard


def test_variables_are_set_before_an_interface_is_turned_on() -> None:
    (effect,) = Story().see(ETH0)

    assert isinstance(effect, Open)
    variables = dict(effect.sysctls)
    assert variables["net/ipv6/conf/eth0/accept_ra"] == "2"
    assert int(variables["net/ipv6/conf/eth0/accept_ra_rt_info_max_plen"]) >= 64
    assert variables["net/ipv6/conf/eth0/autoconf"] == "1"


def test_it_solicits_at_once_and_ever_more_slowly_until_answered() -> None:
    story = Story()
    story.see(ETH0)
    assert story.see(connected(ETH0)) == (Solicit(2, "eth0"),)
    gaps, before = [], story.now
    for _ in range(8):
        assert story.wait() == (Solicit(2, "eth0"),)
        gaps.append(story.now - before)
        before = story.now

    assert FIRST_INTERVAL * 0.9 <= gaps[0] <= FIRST_INTERVAL * 1.1
    assert all(second > first * 1.5 for first, second in pairwise(gaps[:5]))
    assert gaps[-1] <= LONGEST_INTERVAL * 1.1

    story.hear(replace(USUAL, resolvers=(), search=(), nat64=(), lifetime=0xFFFF))
    assert story.machine.deadline() == story.now + 0xFFFF


def test_a_carrier_that_comes_back_is_solicited_anew() -> None:
    story = Story()
    story.see(connected(ETH0))
    story.hear(USUAL)
    story.see(addressed(ETH0))

    assert story.see(replace(ETH0, up=True)) == ()
    assert (story.missing().reason, story.machine.view.interface) == (Reason.CARRIER, "eth0")
    assert story.see(connected(ETH0)) == (Solicit(2, "eth0"),)


def test_the_first_interface_with_an_advertisement_is_taken_and_the_others_are_closed() -> None:
    story = Story()
    assert opened(story.see(ETH0, ETH1)) == ["eth0", "eth1"]
    story.see(connected(ETH0), connected(ETH1))
    assert story.missing().subject == "eth0 eth1"

    (closed,) = story.hear(USUAL, index=3)

    assert isinstance(closed, Close)
    assert (closed.name, dict(closed.sysctls)) == ("eth0", {"net/ipv6/conf/eth0/accept_ra": "0"})
    assert story.machine.view.interface == "eth1"
    assert story.machine.view.guarded == ("eth0", "eth1")
    story.hear(USUAL, index=2)  # comes too late
    assert story.machine.view.interface == "eth1"


def test_the_choice_stays_without_carrier_and_goes_with_the_interface() -> None:
    story = Story()
    story.see(connected(ETH0), connected(ETH1))
    story.hear(USUAL, index=3)
    story.see(replace(ETH0, up=False), replace(ETH1, up=True))
    assert story.machine.view.interface == "eth1"

    assert opened(story.see(ETH0)) == ["eth0"]
    assert story.machine.view.interface == ""


def test_what_a_node_makes_itself_is_no_candidate() -> None:
    own = [Interface(9, "wg0", ethernet=False, kind="wireguard"), Interface(10, "veth12ab", kind="veth")]
    own += [Interface(11, "cilium_vxlan", kind="vxlan"), Interface(12, "pods0", kind="bridge")]
    story = Story()

    assert story.see(*map(connected, own)) == ()
    assert story.missing().reason is Reason.INTERFACE
    assert story.machine.view.guarded == ()


def test_an_interface_that_is_named_is_the_only_candidate() -> None:
    story = Story(Settings(iface="eth1"))
    story.see(ETH0)
    assert (story.missing().reason, story.missing().subject) == (Reason.INTERFACE, "eth1")

    assert opened(story.see(ETH0, ETH1)) == ["eth1"]
    assert story.machine.view.guarded == ("eth1",)


def test_a_restarted_agent_takes_the_interface_with_the_default_route() -> None:
    story = Story()

    effects = story.see(connected(ETH0), addressed(ETH1))

    assert story.machine.view.interface == "eth1"
    assert story.machine.view.missing is None
    assert story.machine.view.resolvers is None, "unknown: what was written before is to be left alone"
    assert not story.machine.view.heard
    assert Solicit(3, "eth1") in effects


def test_resolvers_end_with_their_lifetime_and_public_ones_take_their_place_with_a_warning() -> None:
    story = Story()
    story.see(connected(ETH0))
    story.hear(replace(USUAL, search=(), nat64=()))
    story.see(addressed(ETH0))
    story.wait()

    assert story.now == 600
    assert story.machine.view.resolvers == tuple(map(str, PUBLIC_RESOLVERS))
    assert "eth0" in story.machine.view.warnings[0]

    story.hear(USUAL)
    assert story.machine.view.warnings == ()


def test_a_lifetime_of_zero_withdraws_at_once() -> None:
    story = Story()
    story.see(connected(ETH0))
    story.hear(USUAL)
    story.hear(
        replace(USUAL, resolvers=(Resolvers((IPv6Address("fe80::53"),), 0),), search=(Search(("lab.internal",), 0),))
    )

    assert story.machine.view.resolvers == ("2001:db8::53",)
    assert story.machine.view.search == ()


def test_a_router_that_goes_is_asked_for_again_but_not_in_a_loop() -> None:
    story = Story()
    story.see(connected(ETH0))
    story.hear(USUAL)
    story.see(addressed(ETH0))
    story.now = 10.0

    assert story.hear(Advertisement(ROUTER, lifetime=0)) == ()
    assert story.wait() == (Solicit(2, "eth0"),)
    assert story.now >= 10.0 + FIRST_INTERVAL


def test_a_duplicate_address_is_named() -> None:
    story = Story()
    story.see(connected(ETH0))
    story.hear(USUAL)
    story.see(replace(connected(ETH0), gateways=(ROUTER,), addresses=(Address(GLOBAL, tentative=True, failed=True),)))

    assert story.missing().reason is Reason.ADDRESS
    assert str(GLOBAL.ip) in story.missing().what
    assert "duplicate" in story.missing().what


def test_a_duplicate_address_is_tried_again_until_it_is_free() -> None:
    story = Story()
    duplicate = replace(connected(ETH0), addresses=(Address(GLOBAL, failed=True),), gateways=(ROUTER,))
    story.see(duplicate)
    story.hear(replace(USUAL, resolvers=(), search=(), nat64=(), lifetime=0xFFFF))
    for _ in range(3):
        before = story.now
        assert story.wait() == (Again(2, "eth0", GLOBAL),)
        assert story.now - before == AGAIN_SECONDS
        story.see(replace(duplicate, addresses=(Address(GLOBAL, tentative=True),)))
        story.see(duplicate)

    story.see(addressed(ETH0))
    assert story.machine.view.missing is None
    assert not any(isinstance(effect, Again) for effect in story.wait())


def test_a_router_without_a_prefix_is_told_from_one_that_wants_dhcp() -> None:
    for managed in (False, True):
        story = Story()
        story.see(connected(ETH0))
        story.hear(Advertisement(ROUTER, lifetime=1800, managed=managed))
        story.see(replace(connected(ETH0), gateways=(ROUTER,)))

        assert story.missing().reason is Reason.ADDRESS
        assert ("DHCPv6" in story.missing().what) == managed


def test_a_static_node_needs_no_advertisement() -> None:
    settings = Settings(ip=GLOBAL, gw=ROUTER, dns=(IPv6Address("2001:db8::53"),), search=("example.org",))
    story = Story(settings)
    (opening,) = story.see(ETH0)
    assert isinstance(opening, Open)
    assert dict(opening.sysctls)["net/ipv6/conf/eth0/autoconf"] == "0"
    assert dict(opening.sysctls)["net/ipv6/conf/eth0/accept_ra_defrtr"] == "0"

    effects = story.see(connected(ETH0))
    assert SetAddress(2, GLOBAL) in effects
    assert SetGateway(2, ROUTER) in effects

    assert story.see(addressed(ETH0)) == ()
    view = story.machine.view
    assert (view.missing, view.resolvers, view.search) == (None, ("2001:db8::53",), ("example.org",))


def test_since_is_kept_while_the_same_thing_is_missing() -> None:
    story = Story()
    story.see(ETH0)
    story.now = 5.0
    story.see(connected(ETH0))
    assert story.machine.view.since == 5.0
    story.now = 60.0
    story.see(connected(ETH0))

    assert story.machine.view.since == 5.0


def test_what_a_hostile_link_can_make_it_remember_is_bounded() -> None:
    story = Story()
    story.see(connected(ETH0))
    for number in range(1000):
        address = IPv6Address(int(IPv6Address("fe80::")) + number + 1)
        story.hear(
            Advertisement(
                address, 1800, resolvers=(Resolvers((address,), 600),), search=(Search((f"d{number}",), 600),)
            )
        )

    view = story.machine.view
    assert view.resolvers is not None
    assert (len(view.resolvers), len(view.search)) == (3, 6)
    (ear,) = story.machine._ears.values()
    assert len(ear.heard) <= 8
    assert len(ear.resolvers) <= 32


interfaces = st.lists(
    st.builds(
        Interface,
        index=st.integers(2, 5),
        name=st.sampled_from(["eth0", "eth1", "wg0", "veth1"]),
        ethernet=st.booleans(),
        kind=st.sampled_from(["", "veth", "wireguard"]),
        up=st.booleans(),
        carrier=st.booleans(),
        addresses=st.sampled_from([(), (Address(GLOBAL),), (Address(GLOBAL, failed=True),)]),
        gateways=st.sampled_from([(), (ROUTER,)]),
    ),
    max_size=3,
).map(tuple)
events = st.one_of(
    st.builds(Observed, interfaces),
    st.builds(
        Received, st.integers(2, 5), st.sampled_from([USUAL, Advertisement(ROUTER, 0), replace(USUAL, lifetime=3)])
    ),
    st.floats(0.01, 700.0),
)


@given(st.lists(events, max_size=30), st.booleans())
def test_after_a_tick_the_deadline_is_never_in_the_past(story: list[Observed | Received | float], static: bool) -> None:
    machine = NetworkMachine(Settings(ip=GLOBAL, gw=ROUTER) if static else Settings(), random.Random(1))
    now = 0.0
    for event in story:
        if isinstance(event, float):
            now += event
            machine.tick(now)
        else:
            machine.handle(event, now)
        machine.effects()
        deadline = machine.deadline()
        if isinstance(event, float):
            assert deadline is None or deadline > now
        assert machine.view.missing is None or machine.view.missing.hint
