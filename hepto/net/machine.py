"""The underlay's machine: which interface, what to ask the kernel for, what there is and what is missing.

    no candidate -> candidate without carrier -> carrier, no router -> router, no address -> complete
      INTERFACE            CARRIER                  ROUTER              ADDRESS

Any observation may lead from any of these to any other: nothing is remembered but the choice of the interface, what
advertisements said and for how long, and when to solicit again. The interface that was chosen stays chosen while it
exists, whatever its carrier does: pods' traffic and the firewall depend on it.
"""

import random
from dataclasses import dataclass, replace

from hepto.machine import Effect, Event, Level, Note
from hepto.net.advertisement import Advertisement
from hepto.net.attachment import Attachment
from hepto.net.duplicates import Duplicates
from hepto.net.ear import Ear
from hepto.net.model import (
    PUBLIC_RESOLVERS,
    Close,
    Interface,
    Missing,
    Observed,
    Open,
    Received,
    RemoveGateway,
    SetAddress,
    SetGateway,
    Settings,
    Solicit,
    View,
)
from init.contract.status import Reason

FIRST_INTERVAL = 4.0
"""Seconds to the second solicitation (RFC 7559: IRT, RFC 4861: RTR_SOLICITATION_INTERVAL)."""
LONGEST_INTERVAL = 120.0
"""RFC 7559's MRT is an hour. A router that was plugged in late should not be waited for so long; a packet is cheap."""
MAX_RESOLVERS = 3
"""What glibc reads of resolv.conf (MAXNS), and the number that RFC 8106 section 5.3.1 suggests."""
MAX_SEARCH = 6


@dataclass(slots=True)
class _Solicitation:
    at: float
    interval: float = 0.0


class NetworkMachine:
    """See the module's docstring; the four doors are those of hepto.machine.Machine."""

    def __init__(self, settings: Settings, dice: random.Random):
        self._settings = settings
        self._dice = dice
        self._interfaces: dict[int, Interface] = {}
        self._ears: dict[int, Ear] = {}
        self._solicitations: dict[int, _Solicitation] = {}
        self._attachments: dict[int, Attachment] = {}
        self._duplicates = Duplicates()
        self._opened: set[int] = set()
        self._closed: set[int] = set()
        self._chosen: int | None = None
        self._effects: list[Effect] = []
        self.view = View(missing=self._nothing())

    def handle(self, event: Event, now: float) -> None:
        """Take in what netlink or a router says."""
        match event:
            case Observed(interfaces):
                self._observe(interfaces, now)
            case Received(index, advertisement):
                self._receive(index, advertisement, now)
            case _:
                raise TypeError(f"not an event of the network: {event!r}")
        self._settle(now)

    def tick(self, now: float) -> None:
        """Solicit again, forget what has ended."""
        for ear in self._ears.values():
            ear.expire(now)
        self._settle(now)

    def deadline(self) -> float | None:
        """The next solicitation or the next end of something learnt."""
        instants = [solicitation.at for solicitation in self._solicitations.values()]
        ours = (self._duplicates.deadline(), *(attachment.due for attachment in self._attachments.values()))
        instants += [at for at in ours if at is not None]
        for ear in self._ears.values():
            instants.extend(ear.ends())
        return min(instants, default=None)

    def effects(self) -> tuple[Effect, ...]:
        """What to do, in order."""
        effects, self._effects = tuple(self._effects), []
        return effects

    # --- facts

    def _observe(self, interfaces: tuple[Interface, ...], now: float) -> None:
        before = self._interfaces
        self._interfaces = {item.index: item for item in interfaces if self._is_candidate(item)}
        self._duplicates.see(tuple(self._interfaces.values()), now)
        for index in before.keys() - self._interfaces.keys():
            self._ears.pop(index, None)
            self._solicitations.pop(index, None)
            self._attachments.pop(index, None)
            self._opened.discard(index)
            self._closed.discard(index)
            if index == self._chosen:
                self._chosen = None
        for index, item in self._interfaces.items():
            if not item.carrier or index in self._closed:
                self._solicitations.pop(index, None)
            elif index not in before:
                self._solicitations[index] = _Solicitation(now)
            elif not before[index].carrier or before[index].connections != item.connections:
                self._solicitations[index] = _Solicitation(now)  # the other end may be another network now
                if item.gateways or any(address.dynamic for address in item.addresses):
                    self._attachments[index] = Attachment()

    def _is_candidate(self, item: Interface) -> bool:
        if self._settings.iface is not None:
            return item.name == self._settings.iface
        return item.could_be_underlay

    def _receive(self, index: int, advertisement: Advertisement, now: float) -> None:
        if index not in self._interfaces or index in self._closed:
            return
        attachment = self._attachments.get(index)
        if attachment is not None and attachment.hear(advertisement, now):
            self._ears.pop(index, None)  # resolvers, say, of another network
        ear = self._ears.setdefault(index, Ear())
        if advertisement.router not in ear.heard:
            fields = (
                ("interface", self._interfaces[index].name),
                ("router", str(advertisement.router)),
                ("lifetime", str(advertisement.lifetime)),
                ("prefixes", ",".join(str(prefix.network) for prefix in advertisement.prefixes) or "none"),
            )
            self._effects.append(Note(Level.INFO, "router found", fields))
        ear.hear(advertisement, now)
        self._solicitations.pop(index, None)

    # --- decisions

    def _settle(self, now: float) -> None:
        self._choose()
        self._open_and_close()
        self._solicit(now)
        self._leave(now)
        self._effects.extend(self._duplicates.due(now))
        self._configure()
        self._look(now)

    def _choose(self) -> None:
        if self._chosen is not None:
            return
        for index in sorted(self._interfaces):
            item = self._interfaces[index]
            ear = self._ears.get(index)
            # A default route that is there already: the agent has been restarted, and that is the underlay still.
            answered = (ear is not None and ear.heard) or item.gateways or self._settings.ip is not None
            if item.carrier and answered:
                self._chosen = index
                self._effects.append(Note(Level.INFO, "underlay chosen", (("interface", item.name),)))
                return

    def _open_and_close(self) -> None:
        for index, item in sorted(self._interfaces.items()):
            wanted = self._chosen in (None, index)
            if wanted and index not in self._opened:
                self._opened.add(index)
                self._closed.discard(index)
                self._effects.append(Open(index, item.name, _opening(item.name, self._settings)))
            elif not wanted and index not in self._closed:
                self._closed.add(index)
                self._opened.discard(index)
                self._ears.pop(index, None)
                self._solicitations.pop(index, None)
                self._effects.append(Close(index, item.name, ((f"net/ipv6/conf/{item.name}/accept_ra", "0"),)))

    def _solicit(self, now: float) -> None:
        chosen = self._ears.get(self._chosen) if self._chosen is not None else None
        lonely = chosen is not None and not chosen.routers and self._settings.gw is None
        if lonely and self._chosen is not None and self._interfaces[self._chosen].carrier:
            # The last router has gone. (Not at once: a router that says so itself would be asked without end.)
            self._solicitations.setdefault(self._chosen, _Solicitation(now + FIRST_INTERVAL))
        for index, solicitation in self._solicitations.items():
            if solicitation.at > now or index not in self._opened:
                continue
            self._effects.append(Solicit(index, self._interfaces[index].name))
            interval = min(solicitation.interval * 2 or FIRST_INTERVAL, LONGEST_INTERVAL)
            self._solicitations[index] = _Solicitation(now + interval * self._dice.uniform(0.9, 1.1), interval)

    def _leave(self, now: float) -> None:
        """Remove what is of the network before, from interfaces that were plugged in again."""
        for index, attachment in list(self._attachments.items()):
            if attachment.due is None or attachment.due > now:
                continue
            del self._attachments[index]
            for effect in attachment.left(self._interfaces[index]):
                if isinstance(effect, RemoveGateway) and effect.gateway == self._settings.gw:
                    continue
                self._effects.append(effect)
                gone = effect.gateway if isinstance(effect, RemoveGateway) else effect.interface
                fields = (("interface", self._interfaces[index].name), ("gone", str(gone)))
                self._effects.append(Note(Level.INFO, "another network", fields))

    def _configure(self) -> None:
        if self._chosen is None:
            return
        item = self._interfaces[self._chosen]
        ip, gateway = self._settings.ip, self._settings.gw
        if ip is not None and item.up and all(address.interface != ip for address in item.addresses):
            self._effects.append(SetAddress(item.index, ip))
        if gateway is not None and item.carrier and gateway not in item.gateways:
            self._effects.append(SetGateway(item.index, gateway))

    # --- the view

    def _look(self, now: float) -> None:
        missing = self._missing()
        view = View(
            guarded=tuple(item.name for _, item in sorted(self._interfaces.items())),
            missing=missing,
            since=self.view.since if _same(missing, self.view.missing) else now,
        )
        if self._chosen is not None:
            item = self._interfaces[self._chosen]
            ear = self._ears.get(self._chosen)
            resolvers, warnings = self._resolvers(ear, item.name)
            view = replace(
                view,
                interface=item.name,
                mtu=_mtu(item, ear),
                addresses=tuple(address.interface.ip for address in item.addresses if address.usable),
                gateways=item.gateways,
                resolvers=resolvers,
                search=self._settings.search or tuple(ear.search if ear else ())[:MAX_SEARCH],
                nat64=next(iter(ear.nat64), None) if ear else None,
                heard=ear is not None and bool(ear.heard),
                warnings=(*warnings, *(ear.warnings(item.name) if ear else ())),
            )
        self.view = view

    def _resolvers(self, ear: Ear | None, name: str) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
        if self._settings.dns:
            return tuple(str(address) for address in self._settings.dns), ()
        if ear is not None and ear.resolvers:
            scoped = (f"{address}%{name}" if address.is_link_local else str(address) for address in ear.resolvers)
            return tuple(scoped)[:MAX_RESOLVERS], ()
        if (ear is None or not ear.heard) and self._settings.ip is None:
            return None, ()
        return tuple(map(str, PUBLIC_RESOLVERS)), (
            f"no resolver in the router advertisements on {name}: public ones are asked (hepto.dns=… names others)",
        )

    def _nothing(self) -> Missing:
        name = self._settings.iface
        if name is not None:
            return Missing(Reason.INTERFACE, name, "there is no such interface", "correct hepto.iface")
        return Missing(Reason.INTERFACE, "", "no network card was found", "add one that the kernel has a driver for")

    def _missing(self) -> Missing | None:
        if not self._interfaces:
            return self._nothing()
        if self._chosen is not None:
            return self._missing_on(self._interfaces[self._chosen])
        connected = [item.name for _, item in sorted(self._interfaces.items()) if item.carrier]
        if connected:
            return _no_router(" ".join(connected))
        names = " ".join(item.name for _, item in sorted(self._interfaces.items()))
        return Missing(Reason.CARRIER, names, "no cable, or the other end is off", "connect it")

    def _missing_on(self, item: Interface) -> Missing | None:
        if not item.carrier:
            return Missing(Reason.CARRIER, item.name, "no cable, or the other end is off", "connect it")
        failed = [address.interface for address in item.addresses if address.failed]
        usable = any(address.usable for address in item.addresses)
        if failed and not usable:
            what = f"another machine has {failed[0].ip} (duplicate address detection)"
            hint = "give one of the two another hardware or IP address; it is tried again"
            return Missing(Reason.ADDRESS, item.name, what, hint)
        if not item.gateways:
            return _no_router(item.name)
        if not usable:
            return self._no_address(item)
        return None

    def _no_address(self, item: Interface) -> Missing:
        if any(address.tentative and not address.interface.ip.is_link_local for address in item.addresses):
            what, hint = "duplicate address detection is running", "it takes a second"
            return Missing(Reason.ADDRESS, item.name, what, hint)
        ear = self._ears.get(item.index)
        heard = ear.heard.values() if ear else ()
        what = "the router advertises no prefix to make an address of"
        if any(advertisement.managed for advertisement in heard):
            what += " (it asks for DHCPv6, which hepto does not speak)"
        return Missing(Reason.ADDRESS, item.name, what, "advertise a /64 with the autonomous flag, or give hepto.ip")


def _mtu(item: Interface, ear: Ear | None) -> int:
    advertised = (advertisement.mtu for advertisement in ear.heard.values()) if ear else ()
    return min((mtu for mtu in (item.mtu, *advertised) if mtu), default=0)


def _no_router(name: str) -> Missing:
    return Missing(
        Reason.ROUTER,
        name,
        "no router advertisement has come",
        "let the router send them, or give hepto.ip and hepto.gw",
    )


def _same(one: Missing | None, other: Missing | None) -> bool:
    return (one is None) == (other is None) and (
        one is None or other is None or (one.reason, one.subject) == (other.reason, other.subject)
    )


def _opening(name: str, settings: Settings) -> tuple[tuple[str, str], ...]:
    """What has to be set before forwarding is turned on: with forwarding, accept_ra=1 means no (talos#5632)."""
    static = settings.ip is not None
    return tuple(
        (f"net/ipv6/conf/{name}/{variable}", value)
        for variable, value in (
            ("disable_ipv6", "0"),
            ("accept_ra", "2"),
            ("accept_ra_rt_info_max_plen", "64"),
            ("accept_ra_defrtr", "0" if settings.gw is not None else "1"),
            ("autoconf", "0" if static else "1"),
            ("use_tempaddr", "0"),  # pods are masqueraded behind the address, peers remember it: it should last
            ("accept_redirects", "0"),
            ("accept_source_route", "0"),
        )
    )
