"""What the routers of one interface have said, and for how long it holds."""

from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network
from typing import TypeVar

from hepto.net.advertisement import INFINITE, Advertisement, Preference

MAX_ROUTERS = 8
MAX_LEARNED = 32

T = TypeVar("T", IPv6Address, str, IPv6Network)


class Learned(dict[T, float]):
    """Things with the time at which they end, in the order they were first heard of."""

    def learn(self, item: T, lifetime: int, now: float) -> None:
        if lifetime == 0:
            self.pop(item, None)
        elif item in self or len(self) < MAX_LEARNED:
            self[item] = float("inf") if lifetime == INFINITE else now + lifetime

    def expire(self, now: float) -> None:
        for item in [item for item, end in self.items() if end <= now]:
            del self[item]

    def ends(self) -> Iterator[float]:
        return (end for end in self.values() if end != float("inf"))


class Ear:
    """What has been heard on one interface."""

    def __init__(self) -> None:
        self.routers: Learned[IPv6Address] = Learned()
        self.heard: dict[IPv6Address, Advertisement] = {}
        self.resolvers: Learned[IPv6Address] = Learned()
        self.search: Learned[str] = Learned()
        self.nat64: Learned[IPv6Network] = Learned()

    def hear(self, advertisement: Advertisement, now: float) -> None:
        router = advertisement.router
        if router not in self.heard and len(self.heard) >= MAX_ROUTERS:
            return
        self.heard[router] = advertisement
        self.routers.learn(router, advertisement.lifetime, now)
        for resolvers in advertisement.resolvers:
            for address in resolvers.addresses:
                self.resolvers.learn(address, resolvers.lifetime, now)
        for search in advertisement.search:
            for domain in search.domains:
                self.search.learn(domain, search.lifetime, now)
        for prefix in advertisement.nat64:
            self.nat64.learn(prefix.network, prefix.lifetime, now)

    def expire(self, now: float) -> None:
        for learned in (self.routers, self.resolvers, self.search, self.nat64):
            learned.expire(now)

    def ends(self) -> Iterator[float]:
        for learned in (self.routers, self.resolvers, self.search, self.nat64):
            yield from learned.ends()

    def warnings(self, name: str) -> tuple[str, ...]:
        """Of several routers one may be a mistake or worse; the kernel takes those of the highest preference."""
        if len(self.routers) < 2:
            return ()
        order = list(Preference)
        highest = max((self.heard[router].preference for router in self.routers), key=order.index)
        taken = [router for router in self.routers if self.heard[router].preference is highest]
        others = [router for router in self.routers if router not in taken]
        what = f"{len(self.routers)} routers advertise on {name}: {_list(taken)}"
        return (f"{what}, and with a lower preference {_list(others)}" if others else what,)


def _list(routers: list[IPv6Address]) -> str:
    return " ".join(str(router) for router in routers)
