"""What the core needs of the layers below it: sealing and opening of datagrams (implemented by packet.py)."""

from typing import NamedTuple, Protocol

from hepto.gossip.messages import PacketMessage
from hepto.gossip.reasons import GossipError


class Opened(NamedTuple):
    """A datagram's content."""

    messages: tuple[PacketMessage, ...]
    bad: tuple[GossipError, ...]
    """Parts of a compound that could not be read; their neighbours were."""


class Envelope(Protocol):
    """Label, encryption, checksum, compression: all that is around messages."""

    @property
    def overhead(self) -> int:
        """Bytes that `seal` adds at most, beside two for each part of a compound."""

    def seal(self, parts: tuple[bytes, ...], *, checksum: bool = False) -> bytes:
        """A datagram of 1 to 255 encoded messages (codec.encode): one is sent bare, several as compound."""

    def open(self, data: bytes) -> Opened:
        """The reverse. Raises GossipError if nothing in it can be read, unless a compound names what was bad."""
