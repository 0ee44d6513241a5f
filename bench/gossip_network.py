"""The network of one cluster: a namespace in which every member has an address of its own on `lo`.

Bytes and packets are counted where they are sent, IPv6 headers included, by nftables, so those of a host that is gone
and those sent to it count as well. The kernel hands TCP over in one piece where a wire would see several segments: of
TCP the bytes are short by those segments' headers (5 %) and the packets are fewer, for every system alike.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

from hepto.edge.command import run

PREFIX = "fd00:9::"
MTU = 1500
PROTOCOLS = ("udp", "tcp", "icmp")
# Dropped where they arrive, so that the sender learns nothing: at the output hook it would be told.
RULES = """
table inet bench {
  counter udp_sent {}
  counter tcp_sent {}
  counter icmp_sent {}
  set gone { type ipv6_addr; }
  chain sent {
    type filter hook output priority 0;
    meta l4proto udp counter name udp_sent
    meta l4proto tcp counter name tcp_sent
    meta l4proto ipv6-icmp counter name icmp_sent
  }
  chain received {
    type filter hook input priority 0;
    ip6 saddr @gone drop
    ip6 daddr @gone drop
  }
}
"""


class Traffic(NamedTuple):
    """What was sent by one protocol."""

    packets: int
    bytes: int


def address(number: int) -> str:
    """The address of a member; numbers begin with 1."""
    return f"{PREFIX}{number:x}"


def set_up(members: int) -> None:
    """Make this process's network namespace (a new one) ready for so many members."""
    run(["ip", "link", "set", "lo", "up", "mtu", str(MTU)])
    for number in range(1, members + 1):
        run(["ip", "-6", "address", "add", f"{address(number)}/128", "dev", "lo"])
    run(["nft", RULES])


def cut_off(number: int) -> None:
    """From now on nothing from or to this member arrives, as if its host had lost power."""
    run(["nft", f"add element inet bench gone {{ {address(number)} }}"])


def reconnect(number: int) -> None:
    """The reverse of `cut_off`."""
    run(["nft", f"delete element inet bench gone {{ {address(number)} }}"])


def counted() -> dict[str, Traffic]:
    """All that was sent so far, by protocol."""
    return parse_counters(run(["nft", "-j", "list", "counters"]))


def parse_counters(text: str) -> dict[str, Traffic]:
    """From the JSON of `nft -j list counters` (libnftables-json(5))."""
    counters = [entry["counter"] for entry in json.loads(text)["nftables"] if "counter" in entry]
    return {
        counter["name"].removesuffix("_sent"): Traffic(counter["packets"], counter["bytes"]) for counter in counters
    }


def difference(before: Mapping[str, Traffic], after: Mapping[str, Traffic]) -> dict[str, Traffic]:
    """What was sent between two answers of `counted`."""
    return {
        name: Traffic(after[name].packets - before[name].packets, after[name].bytes - before[name].bytes)
        for name in PROTOCOLS
    }
