"""Finding others: the anchors of the configuration, members of an earlier life, and members that failed.

An anchor is asked for a push/pull until a live member has its address, and asked again whenever none has: for ever,
even while other members are known. So two halves of a cluster that know only themselves, say after a power cut in
which all addresses changed, find together as soon as one anchor's name leads from one to the other (serf#333). Names
are resolved anew each time.

Failed members are tried now and then, more rarely the more of us could do it. Without any live member everything is
tried quickly: anchors first, then those remembered.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import ip_address

from hepto.gossip.agenda import Timer
from hepto.gossip.exchange import Exchange
from hepto.gossip.members import canonical
from hepto.gossip.messages import Address, Status
from hepto.gossip.model import Resolve
from hepto.gossip.node import Node

SHORTEST = 1.0
"""Seconds between two tries of one anchor at first; doubled with each that fails."""
LONGEST = 60.0
LONGEST_ALONE = 15.0
"""While nobody is known: a node that boots is waiting for it."""
JITTER = 0.5
"""A try comes up to this share of its interval early, so that nodes that were started together spread out."""
LARGEST_GRAVEYARD = 256
"""Addresses of members that failed and have been forgotten."""
GRAVEYARD_KEPT = 86400.0
"""Seconds. serf's reconnect timeout."""


def parse_anchor(text: str, port: int) -> tuple[str, int]:
    """Host (a name or an address without brackets) and port: `host`, `host:port`, `::1`, `[::1]:port`.

    Raises ValueError with what is wrong.
    """
    host, number = text, ""
    if text.startswith("["):
        host, closed, number = text[1:].partition("]")
        if not closed or (number and not number.startswith(":")):
            raise ValueError(f"{text!r} is not an anchor: write [address]:port")
        number = number[1:]
    elif text.count(":") == 1:
        host, _, number = text.partition(":")
    if not host:
        raise ValueError(f"{text!r} is not an anchor: the host is missing")
    if number and not (number.isascii() and number.isdigit() and 0 < int(number) < 65536):
        raise ValueError(f"{text!r} is not an anchor: the port is 1 to 65535")
    return host, int(number) if number else port


def _literal(host: str, port: int) -> tuple[Address, ...]:
    try:
        return (canonical(Address(ip_address(host).packed, port)),)
    except ValueError:
        return ()


@dataclass(slots=True, eq=False)
class _Anchor:
    text: str
    addresses: tuple[Address, ...]
    """Of an anchor that is no name; else what it resolved to last."""
    literal: bool
    timer: Timer
    interval: float = SHORTEST
    turn: int = field(default=0)


class Anchors:
    """Retries all of them, for ever."""

    def __init__(self, node: Node, exchange: Exchange, remembered: tuple[Address, ...], port: int):
        self._node = node
        self._exchange = exchange
        self._port = port
        self._anchors: dict[str, _Anchor] = {}
        self._graveyard: OrderedDict[Address, float] = OrderedDict((canonical(a), float("inf")) for a in remembered)
        self._reconnect = Timer(self._try_failed)
        self._interval = SHORTEST

    def start(self, now: float) -> None:
        """Begin with all that there is."""
        for anchor in self._anchors.values():
            self._try(anchor, now)
        self._node.agenda.set(self._reconnect, now + SHORTEST * (1 + self._node.dice.random()))

    def stop(self) -> None:
        for anchor in self._anchors.values():
            self._node.agenda.cancel(anchor.timer)
        self._node.agenda.cancel(self._reconnect)

    def replace(self, texts: tuple[str, ...], now: float | None) -> None:
        """These from now on, tried at once unless `now` is None. What is no anchor is ignored."""
        for text in set(self._anchors) - set(texts):
            self._node.agenda.cancel(self._anchors.pop(text).timer)
        for text in texts:
            if text in self._anchors:
                continue
            try:
                host, port = parse_anchor(text, self._port)
            except ValueError:
                continue
            addresses = _literal(host, port)
            anchor = _Anchor(text, addresses, bool(addresses), Timer(lambda _: None))
            anchor.timer.action = lambda when, anchor=anchor: self._try(anchor, when)  # type: ignore[misc]
            self._anchors[text] = anchor
            if now is not None:
                self._try(anchor, now)

    def resolved(self, text: str, addresses: tuple[Address, ...], now: float) -> None:
        """The answer to a `Resolve`."""
        anchor = self._anchors.get(text)
        if anchor is not None and not anchor.literal and addresses:
            anchor.addresses = tuple(canonical(address) for address in addresses)
            self._contact(anchor, now)

    def buried(self, address: Address, now: float) -> None:
        """A member that failed there is no longer in the table: it is tried from here."""
        self._graveyard[canonical(address)] = now + GRAVEYARD_KEPT
        if len(self._graveyard) > LARGEST_GRAVEYARD:
            self._graveyard.popitem(last=False)

    # -- anchors -----------------------------------------------------------------------------------------------------

    def _try(self, anchor: _Anchor, now: float) -> None:
        self._node.agenda.set(anchor.timer, now + anchor.interval * (1 - JITTER * self._node.dice.random()))
        anchor.interval = min(2 * anchor.interval, LONGEST_ALONE if self._node.members.alone() else LONGEST)
        if anchor.literal:
            self._contact(anchor, now)
        else:
            self._node.outbox.emit(Resolve(anchor.text))

    def _contact(self, anchor: _Anchor, now: float) -> None:
        own = canonical(self._node.own.record.address)
        others = [address for address in anchor.addresses if address != own]
        if not others or any(self._node.members.at(address) for address in others):
            return
        anchor.turn += 1
        destination = others[anchor.turn % len(others)]
        self._exchange.begin(destination, now, join=True)

    # -- those who failed --------------------------------------------------------------------------------------------

    def _try_failed(self, now: float) -> None:
        node = self._node
        alone = node.members.alone()
        self._interval = min(2 * self._interval, node.profile.reconnect) if alone else node.profile.reconnect
        node.agenda.set(self._reconnect, now + self._interval * (1 - JITTER * node.dice.random()))
        candidates = self._candidates(now)
        live = sum(1 for _ in node.members.others())
        if candidates and node.dice.random() * max(1, live) < len(candidates):
            self._exchange.begin(node.dice.choice(candidates), now, join=True)

    def _candidates(self, now: float) -> list[Address]:
        node = self._node
        for address in [address for address, until in self._graveyard.items() if until < now]:
            del self._graveyard[address]
        dead = [canonical(member.record.address) for member in node.members if member.record.status == Status.DEAD]
        live = {canonical(member.record.address) for member in node.members if member.live}
        return [address for address in {**dict.fromkeys(dead), **self._graveyard} if address not in live]
