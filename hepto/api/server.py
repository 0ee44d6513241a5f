"""The node API's server: who may hold how much of this node's memory, the doors, the relay, and what was refused.

Promises: strangers can exhaust their own share only (hepto/gossip/admission.py); every refusal is counted by name, and
the counts hold no more names than `MOST_REASONS`.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Final, NoReturn

from hepto.api.relay import Relay
from hepto.api.routes import Door, Inside, router
from hepto.edge import http_server
from hepto.edge.http_server import Certificate, HttpServer
from hepto.edge.streams import listen
from hepto.gossip.admission import Admission, Bounds
from hepto.log import Log

BOUNDS: Final = Bounds(streams_of_one=16)
"""A join is some 10 KiB with all of TLS, and done in a moment."""
MOST_REASONS: Final = 64


@dataclass(frozen=True)
class Settings:
    port: int
    certificate: str
    """The file of profile node-api: certificate and key."""
    host: str = "::"
    mesh: IPv6Network | None = None
    """Of the nodes' addresses on the mesh, for the doors that open to them only."""
    seconds: float = http_server.SECONDS


class ApiServer:
    """The node API of one node."""

    def __init__(
        self,
        settings: Settings,
        doors: Mapping[str, Door | Inside],
        is_member: Callable[[bytes], bool],
        relay: Relay | None = None,
    ):
        """`is_member` is asked about the 16 bytes of an address; `relay` is for preambles (hepto/api/relay.py)."""
        self._settings = settings
        self._counts: Counter[str] = Counter()
        self._log = Log("api")
        self._server = HttpServer(
            Certificate(settings.certificate).current,
            router(doors, self.count, settings.mesh),
            Admission(is_member, BOUNDS),
            refused=self._closed,
            plain=relay,
            seconds=settings.seconds,
        )

    @property
    def refused(self) -> dict[str, int]:
        """How many were refused, by reason."""
        return dict(self._counts)

    async def run(self, started: Callable[[int], None] = lambda _port: None) -> NoReturn:
        """Serve until cancelled; `started` is told the port. Raises OSError: the port is taken, or no certificate."""
        listener = listen(self._settings.port, self._settings.host)
        started(listener.getsockname()[1])
        await self._server.serve(listener)

    def count(self, reason: str) -> None:
        """One more was refused."""
        if reason in self._counts or len(self._counts) < MOST_REASONS:
            self._counts[str(reason)] += 1

    def _closed(self, reason: str, source: IPv6Address) -> None:
        self.count(reason)
        # The first of each kind, then with every doubling: a line a refusal would be a way to fill the log.
        if self._counts[reason].bit_count() == 1:
            self._log.info("refused", reason=reason, source=source, count=self._counts[reason])
