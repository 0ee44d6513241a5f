"""Three nodes become one cluster of Kubernetes without another word, and stay one. One formation, in order.

`one` is the master, `two` and `three` join it; all are switched on at once. What needs no Kubernetes is in
test_7_mesh.py.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hepto.address import AddressPlan
from hepto.lab import demo
from tests.documentation import Where, commands, where
from tests.vm import harness
from tests.vm.harness import Node, Quiet, eventually

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900, func_only=True)]

CLUSTER = "demo"
PLAN = AddressPlan(CLUSTER)
NAMES = {"one", "two", "three"}
ROLES = {"one": {"control-plane", "node"}, "two": {"node"}, "three": {"node"}}
AWAY_SECONDS = 120.0
"""That the master is off."""
LIMIT = 400.0

Nodes = dict[str, Node]


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator's SSH key."""
    path = tmp_path_factory.mktemp("operator") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def nodes(operator: Path) -> Iterator[Nodes]:
    admin = operator.with_suffix(".pub").read_text().strip()
    with harness.several(*harness.planned("cluster", nodes=3, admin=admin)) as nodes:
        yield nodes


def show(nodes: Nodes) -> tuple[demo.Pod, ...]:
    """The demo; it must be complete."""
    found = demo.show_all(nodes["one"].connection, Quiet())
    assert demo.complete(found), demo.table(found)
    return found


def objects(nodes: Nodes) -> dict[str, dict[str, Any]]:
    """The Node objects by name."""
    return {item["metadata"]["name"]: item for item in nodes["one"].get("nodes")["items"]}


def is_ready(item: dict[str, Any]) -> bool:
    return any(found["type"] == "Ready" and found["status"] == "True" for found in item["status"]["conditions"])


def all_ready(nodes: Nodes) -> bool:
    found = objects(nodes)
    return found.keys() == NAMES and all(map(is_ready, found.values()))


def test_three_nodes_are_ready_by_their_own_word_and_by_kubernetes(nodes: Nodes) -> None:
    assert {name: node.status()["ready"] for name, node in nodes.items()} == dict.fromkeys(NAMES, True)
    eventually(lambda: all_ready(nodes), "three Ready nodes", LIMIT)
    assert len({node.status()["authority"] for node in nodes.values()}) == 1


def test_a_node_object_says_what_follows_from_the_name(nodes: Nodes) -> None:
    for name, item in objects(nodes).items():
        addresses = [found["address"] for found in item["status"]["addresses"] if found["type"] == "InternalIP"]
        prefix = "node-role.kubernetes.io/"
        roles = {label.removeprefix(prefix) for label in item["metadata"]["labels"] if label.startswith(prefix)}

        assert addresses == [str(PLAN.node(name))]
        assert item["spec"]["podCIDRs"] == [str(PLAN.pod_subnet(name))]
        assert roles == ROLES[name]


def test_every_service_was_started_once(nodes: Nodes) -> None:
    started = {
        name: {service: found["starts"] for service, found in node.services().items() if found["starts"] != 1}
        for name, node in nodes.items()
    }

    assert started == {name: {} for name in NAMES}


def test_a_pod_on_each_is_reached_from_each_by_address_service_and_dns(nodes: Nodes) -> None:
    """And no packet of it is seen in clear."""
    with harness.leaks(nodes["one"].connection, CLUSTER) as seen:
        found = show(nodes)

    assert {pod.node for pod in found} == NAMES
    assert {pod.saw.address for pod in found if pod.saw} == {str(PLAN.kubernetes_service)}
    assert seen["packets"] == []
    assert seen["seen"].get("udp/7948")


SERIALS = """
import json, pathlib, sys
from cryptography import x509
pki = pathlib.Path(sys.argv[1])
found = {}
for path in pki.glob("*.pem"):
    data = path.read_bytes()
    if b"BEGIN CERTIFICATE" in data and not path.name.startswith(("ca.", "etcd-ca.", "front-proxy-ca.")):
        found[path.name] = x509.load_pem_x509_certificate(data).serial_number
print(json.dumps(found))
"""
SHOWN = """
import json, socket, ssl, sys
from cryptography import x509
host, port = sys.argv[1:]
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); tls.check_hostname = False; tls.verify_mode = ssl.CERT_NONE
with socket.create_connection((host, int(port)), 20) as line, tls.wrap_socket(line) as secure:
    print(json.dumps(x509.load_der_x509_certificate(secure.getpeercert(True)).serial_number))
"""
SHOWING = {"one": {"apiserver.pem": 6443, "kubelet-server.pem": 10250, "node-api.pem": 7947}}
WORKERS_SHOW = {"kubelet-server.pem": 10250, "node-api.pem": 7947}


def serials(node: Node) -> dict[str, int]:
    """Of every leaf that the node keeps."""
    done = node.run("/usr/bin/python3", "-I", "-c", SERIALS, f"/var/lib/hepto/{CLUSTER}/{node.name}/pki")
    found: dict[str, int] = json.loads(done.text)
    return found


Serials = dict[str, int]
"""By file."""


def others(node: Node, before: Serials) -> Serials:
    """The serials, all of them other ones than before."""
    found = serials(node)
    assert found.items().isdisjoint(before.items())
    return found


@pytest.fixture(scope="module")
def renewed(nodes: Nodes) -> dict[str, tuple[Serials, Serials]]:
    """By node: all serials before the agents were told to renew, and after. Other tests run meanwhile."""
    found = {}
    for name, node in nodes.items():
        before = serials(node)
        node.sh(f"kill -HUP {node.services()['agent']['pid']}")
        after = eventually(partial(others, node, before), f"all certificates of {name} are new", LIMIT)
        found[name] = (before, after)
    return found


def test_every_certificate_is_issued_anew_on_order(renewed: dict[str, tuple[Serials, Serials]]) -> None:
    assert all(before.keys() == after.keys() for before, after in renewed.values())
    assert {name: len(after) for name, (_, after) in renewed.items()} == {"one": 14, "two": 5, "three": 5}


def pod_on(nodes: Nodes, node: str) -> demo.Pod:
    items = nodes["one"].get("pods", "-l", f"app={demo.NAME}")["items"]
    return next(pod for pod in demo.pods(items) if pod.node == node)


FORWARD = """
kubectl --kubeconfig "$1" port-forward --address ::1 "pod/$2" 18080:8080 >/dev/null 2>&1 &
pid=$!
i=0
while [ $i -lt 60 ]; do
  i=$((i+1))
  wget -q -T 5 -O - http://[::1]:18080/ && break
  sleep 0.5
done
kill $pid
"""


def test_logs_exec_and_port_forward_work_across_nodes(nodes: Nodes) -> None:
    one, pod = nodes["one"], pod_on(nodes, "three")
    kubeconfig = f"/var/lib/hepto/{CLUSTER}/one/kubeconfig"

    assert one.kubectl("exec", pod.name, "--", "/bin/busybox", "hostname") == pod.name
    one.kubectl("exec", pod.name, "--", "/bin/busybox", "sh", "-c", "echo a word > /proc/1/fd/1")
    eventually(lambda: "a word" in one.kubectl("logs", pod.name), "the log has it", LIMIT)
    done = one.run("/bin/sh", "-c", FORWARD, "sh", kubeconfig, pod.name, timeout=LIMIT)
    assert done.text == pod.name, done.stderr.decode()


REACH = "wget -q -T 5 -O - http://[{address}]:{port}/"


def test_a_pod_does_not_reach_the_api_of_any_node(nodes: Nodes) -> None:
    """By mesh or underlay address; the apiserver, for comparison, answers (that this is no HTTP)."""
    one, pod = nodes["one"], pod_on(nodes, "two")

    def said(address: str, port: int) -> str:
        script = f"wget -T 4 -O /dev/null http://[{address}]:{port}/ 2>&1; true"
        return one.kubectl("exec", pod.name, "--", "/bin/busybox", "sh", "-c", script)

    assert "timed out" not in said(one.mesh_address(), 6443)
    for node in nodes.values():
        for address in (node.mesh_address(), node.view()["address"]):
            assert "timed out" in said(address, 7947)


def shows(one: Node, node: Node, port: int, serial: int) -> bool:
    """A server of `node` uses the certificate with this serial."""
    done = one.run("/usr/bin/python3", "-I", "-c", SHOWN, node.mesh_address(), str(port))
    return int(done.text) == serial


def test_servers_show_their_new_certificates_and_nobody_was_restarted(
    nodes: Nodes, renewed: dict[str, tuple[Serials, Serials]]
) -> None:
    for name, node in nodes.items():
        for file, port in SHOWING.get(name, WORKERS_SHOW).items():
            look = partial(shows, nodes["one"], node, port, renewed[name][1][file])
            eventually(look, f"{name} shows the new {file}", LIMIT)
    test_every_service_was_started_once(nodes)
    assert all_ready(nodes)


def outside(nodes: Nodes, operator: Path, *words: str) -> str:
    """A command of an operator who is in the router's network, with nothing but the two keys."""
    one, home = nodes["one"], operator.parent
    (home / "demo.key").write_text(one.key)
    secrets = ("--ssh-key", str(operator), "--ca", one.status()["authority"])
    argv = (sys.executable, "-m", "hepto", *words, "--cluster", CLUSTER, "--key", f"@{home / 'demo.key'}", *secrets)
    done = one.connection.run("router", *argv, timeout=120)
    assert done.status == 0, done.stderr.decode()
    return done.text


def order(nodes: Nodes, operator: Path, *words: str) -> Any:
    """`hepto node …`."""
    return json.loads(outside(nodes, operator, "node", *words, "--json", "--anchor", nodes["one"].view()["address"]))


@pytest.mark.parametrize("command", [command for command in commands() if where(command) is Where.CLUSTER])
def test_what_the_documentation_says_from_outside_works(nodes: Nodes, operator: Path, command: str) -> None:
    """By way of a worker, which passes on what is not for it."""
    _, *words = shlex.split(command)
    anchor, key = words.index("--anchor"), words.index("--key")
    words[anchor + 1] = nodes["three"].view()["address"]
    del words[key : key + 2]

    assert outside(nodes, operator, *words).strip()


def test_the_kubeconfig_of_an_operator_works_from_outside(nodes: Nodes, operator: Path) -> None:
    one, path = nodes["one"], operator.parent / "kubeconfig"
    outside(nodes, operator, "kubeconfig", "--output", str(path), "--anchor", one.view()["address"])
    probe = (
        "import json, ssl, sys, urllib.request, pathlib\n"
        "path = pathlib.Path(sys.argv[1]); config = json.loads(path.read_text())\n"
        "server = config['clusters'][0]['cluster']; pair = path.parent / config['users'][0]['user']['client-key']\n"
        "tls = ssl.create_default_context(cafile=path.parent / server['certificate-authority'])\n"
        "tls.check_hostname = False; tls.load_cert_chain(pair)\n"
        "print(urllib.request.urlopen(server['server'] + '/api/v1/nodes', context=tls, timeout=60).read().decode())\n"
    )
    done = one.connection.run("router", sys.executable, "-c", probe, str(path), timeout=120)

    assert done.status == 0, done.stderr.decode()
    assert {item["metadata"]["name"] for item in json.loads(done.text)["items"]} == NAMES


def test_a_worker_is_rebooted_and_its_pod_is_back(nodes: Nodes) -> None:
    two = nodes["two"]
    boots = two.view()["boots"]
    two.run("/usr/bin/hepto", "service", "reboot")
    two.connection.wait_for("two", lambda seen: seen["boots"] == boots + 1 and seen["channel"], 300)
    two.wait_ready(LIMIT)

    eventually(lambda: all_ready(nodes), "three Ready nodes", LIMIT, lambda: objects(nodes))
    eventually(lambda: show(nodes), "pods reach each other again", LIMIT)


@pytest.mark.long  # minutes each; their light twins without Kubernetes are in test_7_mesh.py
def test_workers_go_on_while_the_master_is_off_and_it_comes_back(nodes: Nodes) -> None:
    one, two = nodes["one"], nodes["two"]
    pod = pod_on(nodes, "three")
    before = {name: nodes[name].service_pids() for name in ("two", "three")}
    cluster = one.get("namespace", "kube-system")["metadata"]["uid"]
    pods = {item["metadata"]["uid"] for item in one.get("pods", "-l", f"app={demo.NAME}")["items"]}
    one.connection.power("one", "off")
    one.connection.wait_for("one", lambda seen: not seen["on"], 30)

    harness.throughout(
        lambda: two.sh(REACH.format(address=pod.address, port=demo.PORT)) == pod.name,
        "a pod of another worker is reached without a master",
        AWAY_SECONDS,
    )
    one.connection.power("one", "on")
    one.connection.wait_for("one", lambda seen: seen["channel"], 200)
    one.wait_ready(LIMIT)

    eventually(lambda: all_ready(nodes), "three Ready nodes", LIMIT, lambda: objects(nodes))
    eventually(lambda: show(nodes), "pods reach each other again", LIMIT)
    assert one.get("namespace", "kube-system")["metadata"]["uid"] == cluster
    assert {item["metadata"]["uid"] for item in one.get("pods", "-l", f"app={demo.NAME}")["items"]} == pods
    assert {name: nodes[name].service_pids() for name in ("two", "three")} == before


@pytest.mark.long  # minutes each; their light twins without Kubernetes are in test_7_mesh.py
def test_a_node_is_replaced_by_another_machine_of_its_name(nodes: Nodes, operator: Path) -> None:
    three = nodes["three"]
    boots, before = three.view()["boots"], objects(nodes)["three"]["metadata"]["uid"]
    three.connection.power("three", "off")
    assert {node["name"] for node in order(nodes, operator, "list")["nodes"]} == NAMES
    order(nodes, operator, "forget", "three")
    eventually(lambda: "three" not in objects(nodes), "its object is removed", LIMIT)

    three.connection.fault("replace", node="three")
    three.connection.wait_for("three", lambda seen: seen["channel"] and seen["boots"] == boots + 1, 200)
    three.wait_ready(LIMIT)

    eventually(lambda: all_ready(nodes), "three Ready nodes", LIMIT, lambda: objects(nodes))
    assert objects(nodes)["three"]["metadata"]["uid"] != before
    eventually(lambda: show(nodes), "pods reach each other again", LIMIT)


@pytest.mark.long  # minutes each; their light twins without Kubernetes are in test_7_mesh.py
def test_all_addresses_change_at_once_and_the_cluster_goes_on(nodes: Nodes) -> None:
    before = {name: node.service_pids() for name, node in nodes.items()}
    nodes["one"].connection.fault("prefix", bridge="lab0", prefix="2001:db8:7::/64")

    eventually(lambda: show(nodes), "pods reach each other again", LIMIT)
    eventually(lambda: all_ready(nodes), "three Ready nodes", LIMIT, lambda: objects(nodes))
    after = {name: node.service_pids() for name, node in nodes.items()}
    assert after == before
