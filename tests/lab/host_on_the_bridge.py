"""A host in a network namespace of its own on a bridge of the lab; prints as JSON what it has seen. Run it in the
router's network, with the bridge and the beginning of the prefix that is to be seen there.

The kernel configures it from the advertisements, as it does on a node; a packet socket keeps the first of them.
"""

import errno
import json
import select
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from pyroute2 import IPRoute

LIMIT = 15.0
ETH_P_IPV6 = 0x86DD
ADVERTISEMENT = 134


def main(bridge: str, prefix: str) -> int:
    """In the router's network: start the host and give it its link."""
    command = ["unshare", "--net", sys.executable, __file__, "host", prefix]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdin is not None
        assert host.stdout is not None
        host.stdout.readline()
        with IPRoute() as links:
            links.link("add", ifname="port0", kind="veth", peer={"ifname": "host0"})
            port = links.link_lookup(ifname="port0")[0]
            links.link("set", index=port, master=links.link_lookup(ifname=bridge)[0], state="up")
            links.link("set", index=links.link_lookup(ifname="host0")[0], net_ns_pid=host.pid)
        host.stdin.write("go\n")
        host.stdin.flush()
        sys.stdout.write(host.stdout.read())
    return host.returncode


def run_host(prefix: str) -> int:
    """In the host's network."""
    print("here", flush=True)
    sys.stdin.readline()
    Path("/proc/sys/net/ipv6/conf/host0/accept_dad").write_text("0")
    Path("/proc/sys/net/ipv6/conf/host0/accept_ra").write_text("2")
    # Opened before the link is up, or the first advertisement would be missed.
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IPV6))
    packets.bind(("host0", ETH_P_IPV6))
    with IPRoute() as links:
        links.link("set", index=links.link_lookup(ifname="host0")[0], state="up")
        frame = first_advertisement(packets)
        seen = {
            "source": socket.inet_ntop(socket.AF_INET6, frame[22:38]),
            "hop_limit": frame[21],
            "message": frame[54:].hex(),
            "address": wait_for_address(prefix),
            "ipv4": [item.get_attr("IFA_ADDRESS") for item in links.get_addr(family=socket.AF_INET)],
        }
    seen["outside_saw"] = ask("http://[2001:db8:2::2]/")
    seen["resolved"] = resolve("outside.lab.internal", f"{prefix}:1")
    print(json.dumps(seen))
    return 0


def ask(url: str) -> str:
    """The answer; a router that has just been heard of may miss the first questions for its address."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                found: str = answer.read().decode().strip()
                return found
        except urllib.error.URLError as error:
            unreachable = isinstance(error.reason, OSError) and error.reason.errno == errno.EHOSTUNREACH
            if not unreachable or time.monotonic() > end:
                raise
            time.sleep(0.1)


def first_advertisement(packets: socket.socket) -> bytes:
    """The first Ethernet frame with an advertisement."""
    packets.settimeout(LIMIT)
    while True:
        try:
            frame = packets.recv(2000)
        except OSError as error:
            if error.errno != errno.ENETDOWN:  # told once, because the link was down when we bound
                raise
            continue
        if len(frame) > 54 and frame[20] == socket.IPPROTO_ICMPV6 and frame[54] == ADVERTISEMENT:
            return frame


def wait_for_address(prefix: str) -> str:
    """The global address that the kernel has made."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0]))
            if address.startswith(prefix):
                return address
        select.select([], [], [], 0.05)
    raise SystemExit("no address from the advertisement")


def resolve(name: str, server: str) -> str:
    """Ask the lab's resolver."""
    wire = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking:
        asking.settimeout(LIMIT)
        asking.sendto(struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + wire + b"\0\x1c\0\1", (server, 53))
        return socket.inet_ntop(socket.AF_INET6, asking.recv(512)[-16:])


if __name__ == "__main__":
    sys.exit(run_host(sys.argv[2]) if sys.argv[1] == "host" else main(*sys.argv[1:]))
