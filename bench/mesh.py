"""Peers of a WireGuard device: what hepto's netlink takes to set them, against `wg setconf` of the WireGuard tools.

    set 1000, set 10000   seconds of the guest's clock until an empty device has so many peers with an endpoint, two
                          allowed networks and a keepalive each; the two ways in turn, each on a device of its own that
                          has its key, as a node's has: for each peer the kernel multiplies with it
    one more              milliseconds for one peer more on the device of 1000, against `wg set`

Reading the configuration file is part of `wg setconf`, making the changes from Python values part of ours. Routes are
not: `wg` makes none. In one machine that runs hepto without Kubernetes.
"""

import argparse
import json
from pathlib import Path

from bench import guest, package, report
from bench.report import Row, Target
from hepto.edge.cache import cache_directory
from hepto.errors import UserError

OURS, TOOLS = "hepto", "wg"
FEW, MANY, ONE = "set 1000", "set 10000", "one more"
TARGETS = (Target(FEW, OURS, TOOLS, 1.0), Target(MANY, OURS, TOOLS, 1.0), Target(ONE, OURS, 5.0, 1.0))
OPTIONS = ("hepto.cluster=bench", "hepto.name=one", "hepto.role=full", "hepto.debug=lab,no-kube")
LIMIT_SECONDS = 240.0
TOOL = "/run/wg"

RECEIVE = f"import os, sys; open({TOOL!r}, 'wb').write(sys.stdin.buffer.read()); os.chmod({TOOL!r}, 0o755)"
SCRIPT = f"""
import base64, ipaddress, json, os, random, subprocess, sys, time
from hepto.edge import wireguard
from hepto.edge.wireguard import Endpoint, PeerChange

variant, count, device = sys.argv[1], int(sys.argv[2]), sys.argv[3]
subprocess.run(["ip", "link", "add", device, "type", "wireguard"], check=True)
private = b"\\x40" * 32
wireguard.set_device(wireguard.Device(device, 0, private))
dice = random.Random(count)
peers = [
    (
        dice.randbytes(32),
        ipaddress.IPv6Address((0x20010DB8 << 96) + number),
        (
            ipaddress.IPv6Network(((0xFD << 120) + (1 << 72) + number, 128)),
            ipaddress.IPv6Network(((0xFD << 120) + (2 << 72) + (number << 16), 112)),
        ),
    )
    for number in range(1, count + 2)
]


def change(peer):
    key, address, allowed = peer
    return PeerChange(key, new=True, endpoint=Endpoint(address, 7948), allowed=allowed, keepalive=25)


def words(peer):
    key, address, allowed = peer
    return base64.b64encode(key).decode(), f"[{{address}}]:7948", ",".join(map(str, allowed))


lines = ["[Interface]", f"PrivateKey = {{base64.b64encode(private).decode()}}"]  # without it setconf removes the key
for key, endpoint, allowed in map(words, peers[:-1]):
    lines += ["[Peer]", f"PublicKey = {{key}}", f"Endpoint = {{endpoint}}", f"AllowedIPs = {{allowed}}",
              "PersistentKeepalive = 25"]
path = f"/run/{{device}}.conf"
open(path, "w").write("\\n".join(lines) + "\\n")
begin = time.monotonic()
if variant == {OURS!r}:
    wireguard.set_peers(device, map(change, peers[:-1]))
else:
    subprocess.run([{TOOL!r}, "setconf", device, path], check=True)
all_ = time.monotonic() - begin
key, endpoint, allowed = words(peers[-1])
begin = time.monotonic()
if variant == {OURS!r}:
    wireguard.set_peers(device, [change(peers[-1])])
else:
    subprocess.run([{TOOL!r}, "set", device, "peer", key, "endpoint", endpoint, "allowed-ips", allowed,
                    "persistent-keepalive", "25"], check=True)
one = time.monotonic() - begin
found = wireguard.read_device(device).peers
assert {{(peer.public_key, peer.endpoint.address, frozenset(peer.allowed)) for peer in found}} == {{
    (key, address, frozenset(allowed)) for key, address, allowed in peers
}}
print(json.dumps([all_, one * 1000]))
"""


def measure(node: guest.Guest, tool: bytes, runs: int) -> list[Row]:
    """Both ways in turn: with 1,000 peers `runs` times, with 10,000 once (removing so many takes minutes)."""
    rows: list[Row] = []
    with node.client() as connection:
        connection.wait_for(guest.NODE, lambda seen: seen["channel"], LIMIT_SECONDS)
        sent = connection.run(guest.NODE, "/usr/bin/python3", "-I", "-c", RECEIVE, stdin=tool)
        if sent.status:
            raise UserError("the tool does not arrive on the node", sent.stderr.decode(errors="replace"))
        plan = [(FEW, 1000)] * runs + [(MANY, 10_000)]
        for number, (what, count) in enumerate(plan):
            for variant in (OURS, TOOLS):
                words = (variant, str(count), f"b{number}{variant[0]}")
                done = connection.run(guest.NODE, "/usr/bin/python3", "-I", "-c", SCRIPT, *words, timeout=LIMIT_SECONDS)
                if done.status:
                    raise UserError(f"{variant} fails", done.stderr.decode(errors="replace"))
                seconds, milliseconds = json.loads(done.text)
                rows.append(Row(variant, what, seconds, "s"))
                if what == FEW:
                    rows.append(Row(variant, ONE, milliseconds, "ms"))
                print(f"{what}: {variant}: {seconds:.3f} s, one more {milliseconds:.2f} ms", flush=True)
    return rows


def main(arguments: list[str]) -> int:
    """One machine."""
    parser = argparse.ArgumentParser(prog="bench.mesh")
    parser.add_argument("--image", type=Path, default=guest.DEFAULT_IMAGE)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args(arguments)
    tool = package.ensure_package(cache_directory(), "wireguard-tools") / "usr/bin/wg"
    machine = guest.Machine(given.image, OPTIONS, (("hepto.key", "00" * 32),), memory=768)
    with guest.boot("mesh", machine, guest.find_emulator(given.image)) as node:
        rows = measure(node, tool.read_bytes(), given.runs)
    report.finish("mesh", rows, TARGETS)
    return 0


if __name__ == "__main__":
    report.run(main)
