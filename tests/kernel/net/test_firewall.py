"""The rules in force, with real packets: a node with an underlay, a mesh interface (its far end a peer) and a pod."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from hepto.address import AddressPlan
from hepto.edge import nft
from hepto.firewall.driver import Firewall
from hepto.firewall.ruleset import Policy, transaction
from tests.kernel.net.world import DROPPED, PATIENCE, ip, isolated, namespace, settle, variable

PLAN = AddressPlan("mycluster")
NODE, PEER = str(PLAN.node("node1")), str(PLAN.node("mymaster"))
POD, PEER_POD = str(PLAN.pod_subnet("node1")[5]), str(PLAN.pod_subnet("mymaster")[5])
UNDERLAY, OUTSIDE = "2001:db8:1::5", "2001:db8:1::9"
POLICY = Policy(PLAN, "node1", api_server=True, open=(("tcp", 8443),))
PORTS = (2380, 6443, 7946, 7947, 8443, 9999, 10250)


def world(policy: Policy = POLICY) -> None:
    """Node with `u0` (outside), `wg0` (peer) and `vethpod` (pod); the firewall is put in force first."""
    ip("link", "set", "lo", "up")
    asyncio.run(Firewall(policy).guard(("u0",)))
    variable("net/ipv6/conf/all/forwarding", "1")
    namespace("outside", "u0", "eth0", f"{OUTSIDE}/64")
    namespace("peer", "wg0", "eth0", f"{PEER}/128", f"{PEER_POD}/128")
    namespace("pod", "vethpod", "eth0", f"{POD}/112")
    for link, address in (("u0", f"{UNDERLAY}/64"), ("wg0", f"{NODE}/128"), ("vethpod", "fe80::1/64")):
        ip("address", "add", address, "dev", link, "nodad")
        ip("link", "set", link, "up")
    settle(*(("", link) for link in ("u0", "wg0", "vethpod")), *((name, "eth0") for name in ("outside", "peer", "pod")))
    ip("route", "add", f"{POD}/128", "dev", "vethpod")
    ip("route", "add", str(PLAN.prefix), "dev", "wg0")
    ip("route", "add", "default", "via", "fe80::1", "dev", "eth0", inside="pod")
    # The far end of the mesh and a hostile neighbour both take every address of the cluster to be behind the node.
    ip("route", "add", f"{NODE}/128", "dev", "eth0", inside="peer")
    ip("route", "add", str(PLAN.prefix), "via", NODE, "dev", "eth0", inside="peer")
    ip("route", "add", str(PLAN.prefix), "via", UNDERLAY, "dev", "eth0", inside="outside")


@contextmanager
def listening(*ports: int, inside: str = "") -> Iterator[None]:
    """TCP listeners on every address; each answers with the address it sees."""
    script = (
        "import selectors, socket, sys\n"
        "choose = selectors.DefaultSelector()\n"
        "for port in map(int, sys.argv[1:]):\n"
        "    line = socket.create_server(('::', port), family=socket.AF_INET6)\n"
        "    choose.register(line, selectors.EVENT_READ)\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for key, _ in choose.select():\n"
        "        conversation, sender = key.fileobj.accept()\n"
        "        conversation.sendall(sender[0].encode()); conversation.close()\n"
    )
    prefix = ["ip", "netns", "exec", inside] if inside else []
    argv = [*prefix, sys.executable, "-c", script, *map(str, ports)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield
        finally:
            process.kill()


def reach(inside: str, address: str, *ports: int, source: str = "::") -> dict[int, str]:
    """Which of the ports answer to a TCP connection from a namespace, and whom they saw."""
    script = (
        "import asyncio, json, sys\n"
        "async def one(port):\n"
        "    try:\n"
        f"        async with asyncio.timeout({DROPPED}):\n"
        "            reader, writer = await asyncio.open_connection(sys.argv[1], port, local_addr=(sys.argv[2], 0))\n"
        "            seen = (await reader.read()).decode(); writer.close(); return port, seen\n"
        "    except OSError: return port, None\n"
        "async def all(): return await asyncio.gather(*(one(int(port)) for port in sys.argv[3:]))\n"
        "print(json.dumps([[port, seen] for port, seen in asyncio.run(all()) if seen is not None]))\n"
    )
    argv = ["ip", "netns", "exec", inside, sys.executable, "-c", script, address, source, *map(str, ports)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return {int(port): str(seen) for port, seen in json.loads(done.stdout)}


def is_refused(inside: str, address: str, port: int) -> bool:
    """True if a reset comes back; False if the port answers. Raises CalledProcessError if nothing comes."""
    script = (
        "import socket, sys\n"
        f"try: socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout={PATIENCE})\n"
        "except ConnectionRefusedError: print('refused')\n"
    )
    argv = ["ip", "netns", "exec", inside, sys.executable, "-c", script, address, str(port)]
    return "refused" in subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def ping(inside: str, address: str) -> bool:
    """An echo request that is answered."""
    script = (
        "import socket, sys\n"
        "line = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6); line.settimeout(2)\n"
        "line.sendto(bytes((128, 0, 0, 0, 0, 7, 0, 1)), (sys.argv[1], 0))\n"
        "while line.recv(100)[0] != 129: pass\n"
    )
    argv = ["ip", "netns", "exec", inside, sys.executable, "-c", script, address]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@isolated
def test_from_the_underlay_only_hepto_s_own_ports_and_open_ones_answer() -> None:
    world()
    with listening(*PORTS):
        assert set(reach("outside", UNDERLAY, *PORTS)) == {6443, 7946, 7947, 8443}
        assert set(reach("peer", NODE, *PORTS, source=PEER)) == set(PORTS), "in the mesh everything answers"
    assert ping("outside", UNDERLAY), "echo requests are answered (RFC 4890)"


@isolated
def test_kube_api_mesh_closes_the_apiserver_to_the_underlay() -> None:
    world(replace(POLICY, api_server=False))
    with listening(6443, 7946):
        assert set(reach("outside", UNDERLAY, 6443, 7946)) == {7946}


@isolated
def test_an_apiserver_that_does_not_serve_yet_sends_others_away_at_once_and_keeps_who_is_there() -> None:
    world()
    firewall = Firewall(replace(POLICY, underlay=("u0",)))
    before = asyncio.run(nft.table("inet", "hepto"))
    asyncio.run(firewall.close_api_server(closed=True))
    assert asyncio.run(nft.table("inet", "hepto")) == before, "without an interface there is nothing to reach"
    asyncio.run(firewall.guard(("u0",)))
    with listening(6443, 7946, 10250):
        for inside, address in (("peer", NODE), ("pod", NODE), ("outside", UNDERLAY)):
            assert is_refused(inside, address, 6443), "they are told, not left waiting"
        assert set(reach("peer", NODE, 6443, 10250, source=PEER)) == {10250}
        with socket.create_connection((NODE, 6443), timeout=PATIENCE) as own:
            assert own.recv(100).decode() == NODE
        asyncio.run(firewall.close_api_server(closed=False))
        assert set(reach("peer", NODE, 6443, source=PEER)) == {6443}


@isolated
def test_no_address_of_the_cluster_is_reached_from_the_underlay_nor_pretended() -> None:
    world()
    with listening(6443), listening(80, inside="pod"):
        assert reach("outside", NODE, 6443) == {}, "Linux takes packets for wg0's address on any interface"
        assert reach("outside", POD, 80) == {}
        ip("address", "add", f"{PEER}/128", "dev", "eth0", "nodad", inside="outside")
        ip("route", "replace", f"{PEER}/128", "dev", "u0")
        assert reach("outside", UNDERLAY, 6443, source=PEER) == {}


@isolated
def test_nothing_of_the_cluster_leaves_in_clear() -> None:
    world()
    # The mesh's route is gone, as it would be while wg0 is made: everything would follow a default route.
    ip("route", "del", str(PLAN.prefix), "dev", "wg0")
    ip("route", "add", "default", "via", OUTSIDE, "dev", "u0")
    ip("address", "add", f"{PEER_POD}/128", "dev", "eth0", "nodad", inside="outside")
    with listening(80, inside="outside"):
        assert reach("pod", PEER_POD, 80) == {}
        assert reach("pod", OUTSIDE, 80) == {80: UNDERLAY}, "what goes outside does, with the node's address"


@isolated
def test_a_pod_reaches_outside_masqueraded_and_is_not_reached() -> None:
    world()
    with listening(80, inside="outside"), listening(80, inside="pod"):
        assert reach("pod", OUTSIDE, 80) == {80: UNDERLAY}
        assert reach("peer", POD, 80, source=PEER_POD) == {80: PEER_POD}, "in the mesh sources stay what they are"
        ip("route", "add", f"{POD}/128", "via", UNDERLAY, "dev", "eth0", inside="outside")
        assert reach("outside", POD, 80) == {}


@isolated
def test_what_was_translated_is_forwarded_to_a_pod_and_to_this_host() -> None:
    world()
    rules = f"""
        table ip6 users {{
            chain nat {{
                type nat hook prerouting priority -100
                tcp dport 30080 dnat to [{POD}]:80
                tcp dport 30443 dnat to [{NODE}]:9999
            }}
        }}
    """
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    with listening(80, inside="pod"), listening(9999):
        assert reach("outside", UNDERLAY, 30080, 30443) == {30080: OUTSIDE, 30443: OUTSIDE}


@isolated
def test_a_pod_never_reaches_gossip_node_api_and_etcd_of_any_node_but_the_rest() -> None:
    world()
    forbidden, allowed = {2380, 7946, 7947}, {6443, 8443, 9999, 10250}
    with ExitStack() as stack:
        stack.enter_context(listening(*PORTS))
        for inside in ("peer", "outside"):
            stack.enter_context(listening(*PORTS, inside=inside))
        assert set(reach("pod", NODE, *PORTS)) == allowed
        assert set(reach("pod", UNDERLAY, *PORTS)) == allowed
        assert set(reach("pod", PEER, *PORTS)) == allowed
        assert set(reach("pod", OUTSIDE, *PORTS)) == allowed | {2380}, "an etcd out there is none of ours"
        assert set(reach("pod", PEER_POD, *PORTS)) == set(PORTS), "pods talk to pods on any port"
        assert set(reach("peer", NODE, *PORTS, source=PEER_POD)) == allowed, "nor do a peer's pods"
        assert forbidden | allowed == set(PORTS)


@isolated
def test_a_pod_cannot_pretend_to_be_another_but_finds_its_neighbours() -> None:
    world()
    other = str(PLAN.pod_subnet("mymaster")[7])
    ip("address", "add", f"{other}/128", "dev", "eth0", "nodad", inside="pod")
    ip("route", "add", f"{other}/128", "dev", "vethpod")
    with listening(9999), listening(80, inside="peer"):
        assert reach("pod", NODE, 9999, source=other) == {}
        assert reach("pod", PEER, 80, source=other) == {}
        assert reach("pod", NODE, 9999, source=POD) == {9999: POD}


@isolated
def test_applying_again_changes_nothing() -> None:
    world()
    before = asyncio.run(nft.table("inet", "hepto"))

    async def again() -> None:
        for _ in range(3):
            await nft.apply(transaction(replace(POLICY, underlay=("u0",))))

    asyncio.run(again())

    after = asyncio.run(nft.table("inet", "hepto"))

    def plain(objects: list[dict[str, object]]) -> list[str]:
        return [
            json.dumps({key: value for key, value in next(iter(item.values())).items() if key != "handle"})  # type: ignore[attr-defined]
            for item in objects
        ]

    assert plain(after) == plain(before)


@isolated
def test_no_ipv4_comes_in() -> None:
    world()
    ip("address", "add", "192.0.2.5/24", "dev", "u0")
    ip("address", "add", "192.0.2.9/24", "dev", "eth0", inside="outside")
    with listening(7946):
        assert reach("outside", UNDERLAY, 7946) == {7946: OUTSIDE}
        assert reach("outside", "::ffff:192.0.2.5", 7946, source="::ffff:0.0.0.0") == {}


def segment(inside: str, address: str, port: int) -> int:
    """The largest segment that the other end has asked for, of a TCP connection from a namespace."""
    # Neighbours that have just come up may miss the first questions for them: then there is no route to the host yet.
    script = (
        "import errno, socket, sys, time\n"
        f"end = time.monotonic() + {PATIENCE}\n"
        "while True:\n"
        "    try:\n"
        f"        line = socket.create_connection((sys.argv[1], int(sys.argv[2])), {DROPPED * 5})\n"
        "        break\n"
        "    except OSError as error:\n"
        "        if error.errno != errno.EHOSTUNREACH or time.monotonic() > end: raise\n"
        "        time.sleep(0.05)\n"
        "print(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))\n"
    )
    argv = ["ip", "netns", "exec", inside, sys.executable, "-c", script, address, str(port)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@isolated
def test_tcp_through_the_mesh_opens_with_segments_that_its_route_carries() -> None:
    world()
    with listening(80, inside="peer"), listening(80, inside="pod"), listening(80, inside="outside"):
        whole = segment("pod", PEER_POD, 80)
        ip("route", "add", f"{PEER_POD}/128", "dev", "wg0", "mtu", "lock", "1300")

        assert segment("pod", PEER_POD, 80) == whole - 200
        assert segment("pod", OUTSIDE, 80) == whole
        ip("route", "add", f"{POD}/128", "via", NODE, "dev", "eth0", "src", PEER_POD, inside="peer")
        assert segment("peer", POD, 80) == whole - 200, "in both directions"


@isolated
def test_nft_takes_every_form_of_the_rules() -> None:
    for policy in (POLICY, replace(POLICY, native=False, mesh="wg1"), replace(POLICY, underlay=("u0", "u1"), open=())):
        words = json.dumps(transaction(policy)).encode()
        done = subprocess.run([nft.NFT, "-j", "--check", "-f", "-"], input=words, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
