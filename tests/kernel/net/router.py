"""A router for tests: answers solicitations on eth0 with the advertisement given in hex. Prints `ready` first.

With a hop limit as second argument it sends the advertisement unasked with that, five times a second.
"""

import contextlib
import socket
import sys
import time


def main(advertisement: bytes, forged_hop_limit: int | None) -> None:
    """For ever."""
    line = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    index = socket.if_nametoindex("eth0")
    for option in (socket.IPV6_MULTICAST_HOPS, socket.IPV6_UNICAST_HOPS):
        line.setsockopt(socket.IPPROTO_IPV6, option, forged_hop_limit or 255)
    line.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    group = socket.inet_pton(socket.AF_INET6, "ff02::2") + index.to_bytes(4, sys.byteorder)
    line.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
    print("ready", flush=True)
    while forged_hop_limit is not None:
        with contextlib.suppress(OSError):  # the other end is not on yet
            line.sendto(advertisement, ("ff02::1", 0, 0, index))
        time.sleep(0.2)
    while True:
        data, sender = line.recvfrom(2000)
        if data[0] == 133:
            print("solicited from", sender[0], flush=True)
            line.sendto(advertisement, ("ff02::1", 0, 0, index))


if __name__ == "__main__":
    main(bytes.fromhex(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
