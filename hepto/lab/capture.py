"""Watches the lab's links for packets with an address of the cluster, which must never travel in clear.

Run in the router's network: `hepto lab exec router -- python -m hepto.lab.capture fd2a:9751:6c35::/48 30`. It prints a
JSON line for each packet of a node inside the prefix (at most LINES), and every second and at the end one with what was
seen of each kind so far, so that silence can be told from deafness. It looks inside neighbour discovery too: who asks
for a cluster address on the link leaks that address. What the router itself sends is not seen.
"""

import json
import select
import socket
import struct
import sys
import time
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from hepto.lab.spec import LINKS

ETHERNET = 14
IPV6 = 0x86DD
HEADER = 40
UDP, ICMPV6 = 17, 58
NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 135, 136
LINES = 20
SUMMARY_SECONDS = 1.0
SNAPSHOT = 256
"""Bytes kept of a packet."""

# linux/if_packet.h
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_MR_PROMISC = 1


@dataclass(frozen=True)
class Packet:
    """The IPv6 header of a frame, and what is behind it."""

    source: IPv6Address
    destination: IPv6Address
    protocol: int
    ports: tuple[int, int] | None = None
    """Of UDP."""
    target: IPv6Address | None = None
    """The address that a neighbour is asked for, or tells."""

    def inside(self, prefix: IPv6Network) -> bool:
        """True if any address is of that prefix."""
        return any(address in prefix for address in (self.source, self.destination, self.target) if address)

    @property
    def kind(self) -> str:
        """For counting: the UDP port of the lower number (a service), else the protocol."""
        return f"udp/{min(self.ports)}" if self.ports else {6: "tcp", ICMPV6: "icmpv6"}.get(self.protocol, "other")


def parse(frame: bytes) -> Packet | None:
    """The packet in an Ethernet frame; None if it is not IPv6. Extension headers are not followed."""
    if len(frame) < ETHERNET + HEADER or int.from_bytes(frame[12:14], "big") != IPV6:
        return None
    header, body = frame[ETHERNET : ETHERNET + HEADER], frame[ETHERNET + HEADER :]
    source, destination = IPv6Address(header[8:24]), IPv6Address(header[24:40])
    ports, target = None, None
    if header[6] == UDP and len(body) >= 4:
        ports = struct.unpack_from("!HH", body)
    if header[6] == ICMPV6 and len(body) >= 24 and body[0] in (NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT):
        target = IPv6Address(body[8:24])
    return Packet(source, destination, header[6], ports, target)


def listen(bridge: str) -> socket.socket:
    """Everything that passes a bridge, also between two of its ports (a bridge that is promiscuous sees that)."""
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(IPV6))
    packets.bind((bridge, IPV6))
    request = struct.pack("@iHH8s", socket.if_nametoindex(bridge), PACKET_MR_PROMISC, 0, b"")
    packets.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)
    return packets


def main(prefix: IPv6Network, seconds: float) -> int:
    """Watch all links for so long; 1 if anything was seen inside the prefix."""
    listening = [listen(link.bridge) for link in LINKS]
    print(json.dumps({"listening": [link.bridge for link in LINKS]}), flush=True)
    counted: Counter[str] = Counter()
    leaks = 0
    now = time.monotonic()
    deadline, summary = now + seconds, now + SUMMARY_SECONDS
    while (now := time.monotonic()) < deadline:
        if now >= summary:
            summary = now + SUMMARY_SECONDS
            _summarize(leaks, counted)
        for ready in select.select(listening, [], [], min(deadline, summary) - now)[0]:
            packet = parse(ready.recv(SNAPSHOT))
            if packet is None:
                continue
            counted[packet.kind] += 1
            if packet.inside(prefix):
                leaks += 1
                if leaks <= LINES:
                    print(json.dumps(_plain(packet)), flush=True)
    _summarize(leaks, counted)
    return 1 if leaks else 0


def _summarize(leaks: int, counted: Counter[str]) -> None:
    print(json.dumps({"leaks": leaks, "seen": dict(sorted(counted.items()))}), flush=True)


def _plain(packet: Packet) -> dict[str, object]:
    return {
        "source": str(packet.source),
        "destination": str(packet.destination),
        "protocol": packet.protocol,
        "ports": packet.ports,
        "target": str(packet.target) if packet.target else None,
    }


if __name__ == "__main__":
    sys.exit(main(IPv6Network(sys.argv[1]), float(sys.argv[2])))
