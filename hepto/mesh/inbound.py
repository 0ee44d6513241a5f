"""Do packets reach this node that it has not asked for? Then nothing has to be kept open by keepalives.

A home router translates nothing in IPv6, and lets in only answers all the same: whoever sends to its port from inside
opens that port for minutes, as a rule for everybody (RFC 6092). So only what comes in after a long silence of the whole
device proves something. A node that has been silent that long (a first master that waits for others) therefore listens
to a new peer for a moment before it calls.
"""

from collections.abc import Mapping

from hepto.wireguard import KernelPeer

SILENCE = 330.0
"""Seconds. RFC 6092 recommends that a port stays open for five minutes after the last packet."""
LISTEN = 15.0


class Inbound:
    """What is known about it."""

    def __init__(self) -> None:
        self.is_seen = False
        self._sent: int | None = None
        self._since = 0.0
        self._dumped = 0.0

    def moved(self) -> None:
        """Another address: another way in."""
        self.is_seen = False

    def observe(self, peers: Mapping[bytes, KernelPeer], before: Mapping[bytes, KernelPeer], now: float) -> None:
        """Take in a dump; `before` is what was there at the last one, and what has been ordered since."""
        sent = sum(peer.sent for peer in peers.values())
        if self._sent is None:  # an agent before this one may have seen it, and turned the keepalives off
            heard = [peer for peer in peers.values() if peer.handshake]
            self.is_seen = bool(heard) and not any(peer.keepalive for peer in heard)
        elif self._is_silent(self._dumped):
            self.is_seen = self.is_seen or any(
                _called_us(peer, before.get(key)) and sent - self._sent == peer.sent for key, peer in peers.items()
            )
        if sent != self._sent:
            self._sent, self._since = sent, now
        self._dumped = now

    def is_to_be_heard(self, now: float) -> bool:
        """Whether a new peer shall be listened to before it is called."""
        return not self.is_seen and self._sent is not None and self._is_silent(now)

    def _is_silent(self, now: float) -> bool:
        return now - self._since >= SILENCE


def _called_us(peer: KernelPeer, before: KernelPeer | None) -> bool:
    """Without an endpoint we could not have begun."""
    return before is not None and before.endpoint is None and before.sent == 0 and peer.handshake > 0
