"""How large a packet through the mesh may be, per peer, by trying it out: a core of its own inside the mesh's machine.

Packets Too Big get lost on the way to many a host, and then what is too large vanishes without a word. So an echo
request of full size is sent through the mesh, which no router may fragment, and if it does not come back, sizes down
to 1280, the least that IPv6 allows. Where the kernel knows the path (a Packet Too Big did arrive), it cuts WireGuard's
packets to pieces; then the answer has come in pieces, and what the kernel knows is the result.

    due -> sent -> answered: a larger size, or the result
            ^   -> not answered: again, twice, then a smaller size
            +------+

A size that failed before anything had passed may have met a silence: it is tried again before it counts as too large.

A result is tried again after an hour, another endpoint at once, a silence soon and ever more slowly: after a move the
other side may need a while to find us.

WireGuard fills packets up to 16 bytes, but not beyond the MTU of the route. Sizes in between are multiples of 16, and
a route that has a lower MTU already is tested with those only, lest the filling be measured.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address

from hepto.mesh.model import Cut, Echoed, Probe
from hepto.wireguard import Endpoint

OVERHEAD = 80
"""Outer IPv6 header 40, UDP 8, WireGuard's header 16 and tag 16."""
LEAST = 1280
"""Below it an interface has no IPv6 at all, and says so nowhere (RFC 8200 section 5)."""
STEP = 16
SMALL = 128
"""Fits whatever the path is: an answer to it says that there is somebody."""
PATIENCE = (1.0, 2.0, 3.0)
"""Seconds for the answer to each try."""
AGAIN = 3600.0
AGAIN_AFTER_SILENCE = 20.0
LONGEST_SILENCE = 300.0
AGAIN_IN_FRAGMENTS = 86_400.0
"""Where we cut, all sizes pass: to measure again is to leave that off, and to lose what is large for some seconds."""
MOST_AT_ONCE = 32


class Finding(StrEnum):
    """What is known of a path, in words for the status."""

    UNKNOWN = "not measured yet"
    WHOLE = ""
    SMALLER = "the path carries no more"
    FRAGMENTS = "the path carries less than 1360 bytes: packets between nodes go in fragments"
    SILENT = "not measured: no answer to echo requests"


@dataclass(slots=True)
class _Path:
    address: IPv6Address
    endpoint: Endpoint | None
    mtu: int | None
    """The lower MTU of its routes, None for the interface's."""
    finding: Finding = Finding.UNKNOWN
    cut: IPv6Address | None = None
    """Where WireGuard's packets are cut to pieces by our order."""
    at: float = 0.0
    """When something is to be done: begin, or take a try for lost."""
    size: int = 0
    """What is being tried, 0 when nothing is."""
    tries: int = 0
    sequence: int = 0
    silences: int = 0
    """In a row."""
    passed: int = 0
    failed: int = 1 << 16
    doubted: bool = False
    """`failed` did so before anything had passed."""


class Prober:
    """All peers' paths. `wanted` and `finding` are its results."""

    def __init__(self, dice: random.Random):
        self._dice = dice
        self._ceiling = LEAST
        self._paths: dict[bytes, _Path] = {}
        self._agenda: list[tuple[float, bytes]] = []
        """Heap; an entry whose time is not its path's is out of date."""
        self._queue: deque[bytes] = deque()
        self._flying: dict[int, bytes] = {}
        self._sequence = dice.randrange(1 << 16)
        self._orders: list[Probe | Cut] = []

    # --- what is known

    def wanted(self, key: bytes, present: int | None) -> int | None:
        """The MTU that the peer's routes shall have; `present` is what they have."""
        path = self._paths.get(key)
        return present if path is None else path.mtu

    def size(self, key: bytes) -> int | None:
        """The largest packet to this peer, None while it is not known."""
        path = self._paths.get(key)
        if path is None or path.finding in (Finding.UNKNOWN, Finding.SILENT):
            return None
        return path.mtu or self._ceiling

    def finding(self, key: bytes) -> Finding:
        """What is to be said of it."""
        path = self._paths.get(key)
        return Finding.UNKNOWN if path is None else path.finding

    # --- what happens

    def underlay(self, mtu: int, now: float, *, moved: bool) -> None:
        """The MTU of the mesh's interface. Another one, or another place: all is measured again."""
        mtu = max(LEAST, mtu)
        if mtu == self._ceiling and not moved:
            return
        self._ceiling = mtu
        for key, path in self._paths.items():
            if path.mtu is not None and path.mtu >= mtu:
                path.mtu = None
            self._stop(path)
            self._uncut(path)
            self._at(key, path, now)

    def heard(
        self, key: bytes, address: IPv6Address, endpoint: Endpoint | None, present: int | None, now: float
    ) -> None:
        """The peer is up, by this endpoint. `present` is the MTU of its routes."""
        path = self._paths.get(key)
        if path is None:
            lower = present if present is not None and LEAST <= present < self._ceiling else None
            path = self._paths[key] = _Path(address, endpoint, lower)
            if lower is not None:  # found by an agent before this one: it has not become wrong by our start
                path.finding = Finding.FRAGMENTS if lower == LEAST else Finding.SMALLER
                path.cut = endpoint.address if lower == LEAST and endpoint is not None else None
            self._at(key, path, now if lower is None else now + self._later(AGAIN))
        elif path.endpoint != endpoint:
            path.endpoint = endpoint
            self._stop(path)
            self._uncut(path)
            self._at(key, path, now)

    def lost(self, key: bytes) -> None:
        """The peer is not up any more, or is gone: nothing is sent; what was found is kept for its return."""
        path = self._paths.get(key)
        if path is not None and path.endpoint is not None:
            self._stop(path)
            self._uncut(path)  # the way there may be another by now
            path.at, path.endpoint = float("inf"), None

    def forget(self, keys: set[bytes]) -> None:
        """These are no peers any more."""
        for key in keys & self._paths.keys():
            path = self._paths.pop(key)
            self._stop(path)
            self._uncut(path)

    def echoed(self, answer: Echoed, now: float) -> bytes | None:
        """An answer. Returns the key of the peer it came from, None if it was not asked for."""
        key = self._flying.get(answer.sequence)
        path = self._paths.get(key) if key is not None else None
        if key is None or path is None or path.address != answer.address:
            return None
        size = path.size
        self._stop(path)
        path.silences = 0
        if size > SMALL and answer.path and answer.path - OVERHEAD < min(size, self._ceiling):
            self._end(key, path, max(LEAST, answer.path - OVERHEAD), now, fragments=answer.path < LEAST + OVERHEAD)
        elif size == SMALL and path.doubted:
            path.passed = SMALL
            self._send(key, path, LEAST, now)
        elif size == SMALL:
            if path.endpoint is not None:
                path.cut = path.endpoint.address
                self._orders.append(Cut(path.cut, LEAST))
            self._end(key, path, LEAST, now, fragments=True)
        else:
            self._pass(key, path, size, now)
        return key

    def tick(self, now: float) -> tuple[bytes, ...]:
        """Begin what is due, take for lost what has not come back. Returns whose result may have changed."""
        changed = []
        while self._agenda and self._agenda[0][0] <= now:
            at, key = heapq.heappop(self._agenda)
            path = self._paths.get(key)
            if path is None or path.at != at:
                continue
            path.at = float("inf")
            if path.size:
                self._miss(key, path, now)
                changed.append(key)
            else:
                self._queue.append(key)
        while self._queue and len(self._flying) < MOST_AT_ONCE:
            key = self._queue.popleft()
            path = self._paths.get(key)
            if path is not None and path.endpoint is not None and not path.size:
                self._begin(key, path, now)
                changed.append(key)
        return tuple(changed)

    def deadline(self) -> float | None:
        """When `tick` has something to do."""
        if self._queue and len(self._flying) < MOST_AT_ONCE:
            return float("-inf")
        return self._agenda[0][0] if self._agenda else None

    def orders(self) -> tuple[Probe | Cut, ...]:
        """What to send, and where to cut, in order."""
        orders, self._orders = tuple(self._orders), []
        return orders

    # --- one path

    def _begin(self, key: bytes, path: _Path, now: float) -> None:
        self._uncut(path)
        path.passed, path.failed = 0, 1 << 16
        if path.mtu is not None and path.mtu % STEP:
            path.mtu = None  # the kernel had told it, and will again; meanwhile it cuts what is too large
        self._send(key, path, self._ceiling if path.mtu is None else self._ceiling // STEP * STEP, now)

    def _send(self, key: bytes, path: _Path, size: int, now: float) -> None:
        if path.size != size:
            self._sequence = (self._sequence + 1) % (1 << 16)
            path.size, path.tries, path.sequence = size, 0, self._sequence
            self._flying[path.sequence] = key
        self._orders.append(Probe(path.address, path.endpoint, path.sequence, size))
        self._at(key, path, now + PATIENCE[path.tries])
        path.tries += 1

    def _pass(self, key: bytes, path: _Path, size: int, now: float) -> None:
        if size == path.failed == LEAST:  # all that failed before may have met the same silence
            self._begin(key, path, now)
            return
        path.passed = size
        if size == path.failed:
            path.failed = 1 << 16
        self._go_on(key, path, now)

    def _miss(self, key: bytes, path: _Path, now: float) -> None:
        if path.tries < len(PATIENCE):
            self._send(key, path, path.size, now)
            return
        size = path.size
        self._stop(path)
        if size == SMALL:
            path.finding = Finding.SILENT if path.mtu is None else path.finding
            self._at(key, path, now + self._later(min(AGAIN_AFTER_SILENCE * 2**path.silences, LONGEST_SILENCE)))
            path.silences = min(path.silences + 1, 8)
            return
        path.failed, path.doubted = size, not path.passed
        self._go_on(key, path, now)

    def _go_on(self, key: bytes, path: _Path, now: float) -> None:
        if path.failed == LEAST:
            self._send(key, path, SMALL, now)
        elif not path.passed:
            self._send(key, path, LEAST, now)
        elif path.passed == self._ceiling:
            self._end(key, path, None, now)
        elif path.failed > self._ceiling:
            self._grown(key, path, now)
        else:
            between = max((path.passed + path.failed) // 2 // STEP, path.passed // STEP + 1) * STEP
            if between < path.failed:
                self._send(key, path, between, now)
            elif path.doubted:
                self._send(key, path, path.failed, now)
            else:
                self._end(key, path, path.passed, now)

    def _grown(self, key: bytes, path: _Path, now: float) -> None:
        """The largest multiple has passed. Is the interface's size possible? That is seen without a lower MTU only."""
        if path.mtu is not None and path.mtu < path.passed:
            path.mtu = None
            self._send(key, path, self._ceiling, now)
        else:
            self._end(key, path, path.mtu, now)

    def _end(self, key: bytes, path: _Path, mtu: int | None, now: float, *, fragments: bool = False) -> None:
        path.mtu = mtu
        path.finding = Finding.FRAGMENTS if fragments else Finding.WHOLE if mtu is None else Finding.SMALLER
        self._at(key, path, now + self._later(AGAIN if path.cut is None else AGAIN_IN_FRAGMENTS))

    def _uncut(self, path: _Path) -> None:
        if path.cut is not None:
            self._orders.append(Cut(path.cut, None))
        path.cut = None

    def _stop(self, path: _Path) -> None:
        if path.size:
            del self._flying[path.sequence]
        path.size = 0

    def _at(self, key: bytes, path: _Path, at: float) -> None:
        path.at = at
        heapq.heappush(self._agenda, (at, key))

    def _later(self, seconds: float) -> float:
        return seconds * self._dice.uniform(0.8, 1.2)
