"""The network machine when a cable is plugged in again: in the same network, in another, in none."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

from hepto.net.advertisement import Prefix, Resolvers
from hepto.net.attachment import PATIENCE
from hepto.net.model import Address, Interface, RemoveGateway, Settings, Solicit, Withdraw
from tests.net.test_machine import ETH0, GLOBAL, ROUTER, USUAL, Story, addressed

OTHER = replace(
    USUAL,
    router=IPv6Address("fe80::2"),
    prefixes=(Prefix(IPv6Network("2001:db8:2::/64"), True, True, 86400, 14400),),
    resolvers=(Resolvers((IPv6Address("2001:db8:2::53"),), 600),),
)


def settled(item: Interface) -> Interface:
    return replace(addressed(item), addresses=(Address(GLOBAL, dynamic=True),))


def moved(settings: Settings | None = None, item: Interface | None = None) -> Story:
    """The cable was out for a moment that nobody has looked at."""
    story = Story(settings)
    before = item or settled(ETH0)
    story.see(before)
    story.hear(USUAL)
    assert story.see(replace(before, connections=before.connections + 1)) == (Solicit(2, "eth0"),)
    return story


def test_in_another_network_what_was_of_the_former_one_goes_when_its_routers_have_had_their_time() -> None:
    story = moved()
    assert story.hear(OTHER) == ()
    assert story.machine.view.resolvers == ("2001:db8:2::53",)

    assert story.wait() == (Withdraw(2, GLOBAL), RemoveGateway(2, ROUTER))
    assert story.now == PATIENCE


def test_in_the_same_network_everything_stays() -> None:
    story = moved()
    story.hear(OTHER)
    story.hear(USUAL)

    assert not {Withdraw(2, GLOBAL), RemoveGateway(2, ROUTER)} & set(story.wait())


def test_as_long_as_no_router_answers_everything_stays() -> None:
    story = moved()

    assert all(isinstance(effect, Solicit) for _ in range(8) for effect in story.wait())
    assert story.machine.view.resolvers == ("fe80::53%eth0", "2001:db8::53")


def test_what_an_administrator_has_set_stays_in_any_network() -> None:
    settings = Settings(ip=GLOBAL, gw=ROUTER, dns=(IPv6Address("2001:db8::53"),))
    story = moved(settings, addressed(ETH0))
    story.hear(OTHER)

    assert story.wait() == ()


def test_an_agent_that_is_started_anew_takes_nothing_for_left_behind() -> None:
    story = Story()
    story.see(settled(ETH0))
    story.hear(OTHER)

    assert not {Withdraw(2, GLOBAL), RemoveGateway(2, ROUTER)} & set(story.wait())
