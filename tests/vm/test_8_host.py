"""`hepto start` on a plain Debian server: a full node in a container becomes Ready, and nothing of it is left."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.documentation import Where, commands, where
from tests.vm import plainhost
from tests.vm.harness import READY_LIMIT, Node, eventually
from tests.vm.plainhost import IMAGE, listed

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.timeout(1800)]

START = "hepto start -name n1 -role full -iface eth0 -key @demo.key"
DETACHED, UNIT, LIST, STOP = f"{START} --detach", f"{START} --systemd-unit", "hepto list", "hepto stop n1"

SNAPSHOT = """
import json, os, pathlib, subprocess

def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout

def links():
    found = json.loads(run("ip", "-j", "link"))
    return sorted((link["ifname"], link["link_type"], link["mtu"], link["flags"]) for link in found)

def routes():
    kept = ("dst", "gateway", "dev", "protocol", "metric", "type")
    found = json.loads(run("ip", "-6", "-j", "route", "show", "table", "all"))
    return sorted([str(route.get(name)) for name in kept] for route in found)

def variables():
    found = {}
    for path in pathlib.Path("/proc/sys").rglob("*"):
        try:
            found[str(path)] = path.read_text()
        except OSError:
            pass
    return found

mounts = [line.split()[:4] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
groups = [folder for folder, _, _ in os.walk("/sys/fs/cgroup")]
loops = [str(path) for path in pathlib.Path("/sys/block").glob("loop*/loop/backing_file")]
print(json.dumps({
    "links": links(), "routes": routes(), "firewall": run("nft", "list", "ruleset"), "variables": variables(),
    "mounts": sorted(mounts), "groups": sorted(groups), "loops": loops, "run": sorted(os.listdir("/run")),
}))
"""
COUNTERS = re.compile(
    r"/proc/sys/(fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr|quota/.*)"
    r"|kernel/(random/.*|pty/nr|ns_last_pid|perf_event_max_sample_rate|perf_cpu_time_max_percent)"
    r"|net/netfilter/nf_conntrack_count)"
)
"""What counts, or follows from, how busy a machine is."""
ASK = """
import http.client, json, ssl, sys
config = json.load(open(sys.argv[1]))
server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
context = ssl.create_default_context(cafile=server["certificate-authority"])
context.load_cert_chain(user["client-certificate"], user["client-key"])

class Named(http.client.HTTPSConnection):
    def connect(self):
        http.client.HTTPConnection.connect(self)
        self.sock = context.wrap_socket(self.sock, server_hostname=server["tls-server-name"])

line = Named(server["server"].removeprefix("https://"), timeout=60)
line.request("GET", "/api/v1/nodes")
print(line.getresponse().read().decode())
"""


def snapshot(server: Node) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.python(SNAPSHOT))
    return found


def at_home(server: Node, command: str) -> str:
    """As somebody would type it."""
    return server.sh(f"cd /root && {command}", timeout=300)


@pytest.fixture(scope="module")
def server() -> Iterator[Node]:
    with plainhost.host("plain-host", memory=3072) as found:
        found.sh(f"mkdir -p /root/build/image && ln -s {IMAGE} /root/build/image")
        at_home(found, "umask 077; hepto key > demo.key")
        yield found


def differences(server: Node, before: dict[str, Any]) -> dict[str, object]:
    """What is not as it was on the host. Of its variables those that were there: a module brings others."""
    after = snapshot(server)
    found: dict[str, object] = {
        name: (value, after[name])
        for name, value in before.items()
        if name not in ("variables", "groups") and after[name] != value
    }
    for name, value in before["variables"].items():
        if after["variables"].get(name) != value and not COUNTERS.fullmatch(name):
            found[name] = (value, after["variables"].get(name))
    left = [group for group in after["groups"] if "hepto" in group or "kube" in group]
    return {**found, **({"groups": left} if left else {})}


def unchanged(server: Node, before: dict[str, Any]) -> None:
    """The host is as it was, as soon as the kernel has taken down the namespaces."""
    eventually(
        lambda: not differences(server, before), "the host is as before", 60.0, lambda: differences(server, before)
    )


def as_it_is(server: Node) -> dict[str, Any]:
    """The host now."""
    at_home(server, LIST)
    return snapshot(server)


def wait_ready(server: Node, name: str) -> None:
    """Its console says so; `hepto list` each time would take the node a good part of its processors."""
    log = f"/run/hepto-host/{name}/console.log"
    ready = f"grep '^ready: node {name} ' {log}"
    eventually(lambda: server.sh(ready), f"{name} is Ready", READY_LIMIT, lambda: server.sh(f"cat {log}"), pause=2.0)
    assert listed(server)[name]["ready"]


def test_the_commands_of_the_documentation_are_those_of_this_file() -> None:
    documented = {command for command in commands() if where(command) is Where.HOST}

    assert documented == {DETACHED, UNIT, LIST, STOP}


def test_a_full_node_becomes_ready_and_leaves_nothing(server: Node) -> None:
    before = as_it_is(server)

    said = at_home(server, DETACHED)

    assert "node n1 has the address 2001:db8:1:" in said
    wait_ready(server, "n1")
    found = listed(server)["n1"]
    assert (found["cluster"], found["attachment"]) == ("hepto", "macvlan")  # not what the host's command line says
    (node,) = json.loads(server.python(ASK, "/run/hepto-host/n1/kubeconfig"))["items"]
    assert node["metadata"]["name"] == "n1"
    assert "hepto-n1.scope" in server.sh("systemctl --no-legend list-units hepto-*.scope")
    assert server.sh("cat /proc/sys/kernel/panic").strip() == "10"  # the kubelet's

    at_home(server, STOP)

    unchanged(server, before)
    assert server.sh("ls /var/lib/hepto/hepto") == "n1\n"


def test_a_node_whose_keeper_is_killed_is_swept(server: Node) -> None:
    before = as_it_is(server)
    at_home(server, f"{DETACHED} -name n2 -debug no-kube -cluster other".replace("-name n1 ", ""))
    found = listed(server)["n2"]
    server.sh(f"kill -9 {found['keeper']}")

    eventually(lambda: server.run("test", "-e", f"/proc/{found['pid']}").status != 0, "PID 1 has died with it")
    eventually(lambda: listed(server) == {}, "it is listed no more")

    unchanged(server, before)


def test_a_unit_of_systemd_runs_a_node(server: Node) -> None:
    text = at_home(server, UNIT).replace(" -role full", " -debug no-kube -cluster unit")
    server.run("/bin/sh", "-c", "cat > /etc/systemd/system/hepto-n1.service", stdin=text.encode())

    server.sh("systemctl daemon-reload && systemctl start hepto-n1")
    eventually(lambda: listed(server)["n1"]["addresses"], "n1 has an address")
    server.sh("systemctl stop hepto-n1")

    assert listed(server) == {}
    assert "Result=success" in server.sh("systemctl show -p Result hepto-n1")


def test_what_cannot_be_is_two_lines_and_a_code(server: Node) -> None:
    """On a real host; the others are in tests/cli/test_host.py."""
    server.sh("ip link add blind0 type veth peer name blind1 && ip link set blind0 up && ip link set blind1 up")
    usual = "hepto start -name n3 -key @demo.key --debug no-kube --detach"
    cases = {
        f"{usual} -iface none0": (2, "there is no interface none0"),
        f"{usual} -iface blind0 --limit 2": (3, "no router has advertised a prefix on blind0 within 2 s"),
        f"{usual} -iface blind0": (4, "a node n3 runs on this host already"),
        "setpriv --reuid=65534 --clear-groups hepto start -name n3 --insecure": (4, "needs root"),
    }
    for command, (code, what) in cases.items():
        done = server.run("/bin/sh", "-c", f"cd /root && {command}")
        lines = done.stderr.decode().splitlines()
        assert (done.status, len(lines)) == (code, 2), done.stderr.decode()
        assert what in lines[0]
    eventually(lambda: "waiting for router eth0" in server.sh("hepto list"), "it goes on waiting, and says for what")
    server.sh("hepto stop n3 && ip link delete blind0")


@pytest.mark.long
def test_two_nodes_of_a_cluster_and_one_of_another_share_a_host(server: Node) -> None:
    before = as_it_is(server)
    at_home(server, DETACHED)
    wait_ready(server, "n1")
    (address,) = listed(server)["n1"]["addresses"]

    at_home(server, f"hepto start -name n2 -anchor {address} -iface eth0 -key @demo.key --detach")
    at_home(server, "hepto start -name o1 -cluster other -debug no-kube -iface eth0 -key @demo.key --detach")

    wait_ready(server, "n2")
    nodes = json.loads(server.python(ASK, "/run/hepto-host/n1/kubeconfig"))["items"]
    assert {node["metadata"]["name"] for node in nodes} == {"n1", "n2"}
    found = listed(server)
    assert {name: node["cluster"] for name, node in found.items()} == {"n1": "hepto", "n2": "hepto", "o1": "other"}
    members = json.loads(server.sh(f"nsenter -t {found['o1']['pid']} -a hepto gossip --json"))["members"]
    assert [member["name"] for member in members] == ["o1"]

    for name in found:
        at_home(server, f"hepto stop {name}")
    unchanged(server, before)
