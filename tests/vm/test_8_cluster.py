"""Three nodes become one cluster of Kubernetes without another word, and stay one. One formation, in order.

`one` is the master, `two` and `three` join it; all are switched on at once. What needs no Kubernetes is in
test_7_mesh.py.
"""

import json
import shlex
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from hepto.address import AddressPlan
from hepto.lab import demo
from tests.documentation import Where, commands, where
from tests.vm import canaries, harness, kubernetes, leaves, outside
from tests.vm.harness import Node, eventually
from tests.vm.kubernetes import REACH, Nodes, all_ready, objects, pod_on, show
from tests.vm.leaves import Serials
from tests.vm.programs.scan import search

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900, func_only=True)]

CLUSTER = "demo"
PLAN = AddressPlan(CLUSTER)
NAMES = {"one", "two", "three"}
ROLES = {"one": {"control-plane", "node"}, "two": {"node"}, "three": {"node"}}
AWAY_SECONDS = 120.0
"""That the master is off."""
LIMIT = 400.0


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator's SSH key."""
    return outside.make_key(tmp_path_factory.mktemp("operator"))


@pytest.fixture(scope="module")
def nodes(operator: Path) -> Iterator[Nodes]:
    admin = operator.with_suffix(".pub").read_text().strip()
    with harness.several(*harness.planned("cluster", nodes=3, admin=admin)) as nodes:
        yield nodes


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
    assert kubernetes.started_again(nodes) == {}


def test_a_pod_on_each_is_reached_from_each_by_address_service_and_dns(nodes: Nodes) -> None:
    """And no packet of it is seen in clear."""
    with harness.leaks(nodes["one"].connection, CLUSTER) as seen:
        found = show(nodes)

    assert {pod.node for pod in found} == NAMES
    assert {pod.saw.address for pod in found if pod.saw} == {str(PLAN.kubernetes_service)}
    assert seen["packets"] == []
    assert seen["seen"].get("udp/7948")


def others(node: Node, before: Serials) -> Serials:
    """The serials, all of them other ones than before."""
    found = leaves.kept(node)
    assert found.items().isdisjoint(before.items())
    return found


@pytest.fixture(scope="module")
def renewed(nodes: Nodes) -> dict[str, tuple[Serials, Serials]]:
    """By node: all serials before the agents were told to renew, and after. Other tests run meanwhile."""
    found = {}
    for name, node in nodes.items():
        before = leaves.kept(node)
        node.sh(f"kill -HUP {node.services()['agent']['pid']}")
        after = eventually(partial(others, node, before), f"all certificates of {name} are new", LIMIT)
        found[name] = (before, after)
    return found


def test_every_certificate_is_issued_anew_on_order(renewed: dict[str, tuple[Serials, Serials]]) -> None:
    assert all(before.keys() == after.keys() for before, after in renewed.values())
    assert {name: len(after) for name, (_, after) in renewed.items()} == {"one": 14, "two": 5, "three": 5}


FORWARD = """
kubectl --kubeconfig "$1" port-forward --address ::1 "pod/$2" 18080:8080 >/dev/null 2>&1 &
pid=$!
i=0
while [ $i -lt 60 ]; do
  i=$((i+1))
  wget -q -T 20 -O - http://[::1]:18080/ && break
  sleep 0.5
done
kill $pid
"""


def test_logs_exec_and_port_forward_work_across_nodes(nodes: Nodes) -> None:
    one, pod = nodes["one"], pod_on(nodes, "three")
    kubeconfig = f"{one.directory}/kubeconfig"

    script = "hostname; echo a word > /proc/1/fd/1"
    assert one.kubectl("exec", pod.name, "--", "/bin/busybox", "sh", "-c", script) == pod.name
    eventually(lambda: "a word" in one.kubectl("logs", pod.name), "the log has it", LIMIT)
    done = one.run("/bin/sh", "-c", FORWARD, "sh", kubeconfig, pod.name, timeout=LIMIT)
    assert done.text == pod.name, done.stderr.decode()


TRY_ALL = """
for place; do
  { wget -T 10 -O /dev/null "http://$place/" 2>&1 | grep -q "timed out" && echo "$place"; } &
done
wait
"""


def test_a_pod_reaches_neither_gossip_nor_api_nor_etcd_of_any_node(nodes: Nodes) -> None:
    """By mesh or underlay address; the apiserver, for comparison, answers (that this is no HTTP)."""
    one, pod = nodes["one"], pod_on(nodes, "two")
    addresses = [address for node in nodes.values() for address in (node.mesh_address(), node.view()["address"])]
    forbidden = {f"[{address}]:{port}" for address in addresses for port in (7946, 7947, 2379, 2380)}
    server = f"[{one.mesh_address()}]:6443"

    command = ("/bin/busybox", "sh", "-c", TRY_ALL, "sh", server, *sorted(forbidden))
    assert set(one.kubectl("exec", pod.name, "--", *command).split()) == forbidden


@pytest.fixture(scope="module")
def needles(nodes: Nodes) -> canaries.Needles:
    """Every secret that is on any node, in every spelling."""
    found = [secret for node in nodes.values() for secret in canaries.of_node(node)]
    names = [secret.name for secret in found]
    assert {"one pki/ca.pem", "one pki/service-account.pem", "one pki/secrets-encryption.json"} <= set(names)
    assert {f"{name} identity/{kind}" for name in nodes for kind in ("identity.pem", "wireguard.key")} <= set(names)
    return {secret.name: secret.spellings() for secret in found}


@pytest.mark.long  # a pod has to read all that it may, through an emulated processor
@pytest.mark.parametrize("name", ["two"])
def test_a_pod_sees_no_secret_of_the_cluster(nodes: Nodes, needles: canaries.Needles, name: str) -> None:
    """It sees the decoy that it was given, as a variable and in a file: what is there would be found."""
    one, decoy, pod = nodes["one"], canaries.decoy(), f"decoy-{name}"
    one.apply(*canaries.pod_with(decoy, pod, name))
    one.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", f"--timeout={LIMIT:.0f}s", timeout=LIMIT + 30)

    looked, hits = canaries.scan_pod(one, pod, needles | {decoy.name: decoy.spellings()})

    places = {place for place, secret in hits if secret == decoy.name}
    assert {"environment", "/proc/1/environ"} <= places
    assert any(place.startswith("/decoy/") for place in places)
    assert {"/proc/cmdline", "/proc/1/cmdline"} <= looked
    assert any("/serviceaccount/" in place for place in looked)
    assert {(place, secret) for place, secret in hits if secret != decoy.name} == set()
    one.kubectl("delete", f"pod/{pod}", f"configmap/{pod}", "--wait=false")


PLANT = """
umask 022
echo "$1" >/tmp/decoy
echo "<1>decoy $1" >/dev/kmsg
echo "decoy $1" >/run/hepto/log/coredns
DECOY="$1" /usr/bin/python3 -I -c 'import select; select.select([], [], [], 900)' "$1" </dev/null >/dev/null 2>&1 &
echo $!
"""


@pytest.mark.parametrize("name", ["one", pytest.param("two", marks=pytest.mark.long)])
def test_no_node_shows_a_secret_of_the_cluster(nodes: Nodes, needles: canaries.Needles, name: str) -> None:
    """Nor does its console. A decoy is put everywhere first, and found everywhere."""
    node, decoy = nodes[name], canaries.decoy()
    word = decoy.raw.hex()
    wanted = needles | {decoy.name: decoy.spellings()}
    planted = node.run("/bin/sh", "-c", PLANT, "sh", word)
    assert planted.status == 0, planted.stderr.decode()
    process = planted.text
    eventually(lambda: word in node.run("/usr/bin/hepto", "logs", "coredns").text, "the log has the decoy", LIMIT)
    node.wait_console(word, LIMIT)

    hits = canaries.scan(node, wanted)
    hits |= {("console", secret) for secret in search(node.console().encode(), wanted)}
    node.sh(f"kill {process}; rm /tmp/decoy")

    assert {secret for _, secret in hits} == {decoy.name}, hits
    assert {place for place, _ in hits} >= {
        *(f"{kind} of process {process}" for kind in ("cmdline", "environ")),
        *("kernel log", "log of coredns", "/tmp/decoy", "console"),
    }


@pytest.mark.parametrize("command", [command for command in commands() if where(command) is Where.CLUSTER])
def test_what_the_documentation_says_from_outside_works(nodes: Nodes, operator: Path, command: str) -> None:
    """By way of a worker, which passes on what is not for it."""
    _, *words = shlex.split(command)
    anchor, key = words.index("--anchor"), words.index("--key")
    words[anchor + 1] = nodes["three"].view()["address"]
    del words[key : key + 2]

    assert outside.run(nodes["one"], operator, *words).strip()


def test_the_kubeconfig_of_an_operator_works_from_outside(nodes: Nodes, operator: Path) -> None:
    one, path = nodes["one"], operator.parent / "kubeconfig"
    outside.run(one, operator, "kubeconfig", "--output", str(path), "--anchor", one.view()["address"])
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


def test_servers_show_their_new_certificates_and_nobody_was_restarted(
    nodes: Nodes, renewed: dict[str, tuple[Serials, Serials]]
) -> None:
    def all_new() -> bool:
        shown = leaves.shown(nodes)
        return all(seen.items() <= renewed[name][1].items() for name, seen in shown.items())

    eventually(all_new, "all servers show their new certificates", LIMIT, lambda: leaves.shown(nodes), pause=2.0)
    assert kubernetes.started_again(nodes) == {}
    eventually(lambda: all_ready(nodes), "three Ready nodes", LIMIT, lambda: objects(nodes))


@pytest.mark.long  # minutes each; their light twins without Kubernetes are in test_7_mesh.py
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
    assert {node["name"] for node in outside.order(nodes["one"], operator, "list")["nodes"]} == NAMES
    outside.order(nodes["one"], operator, "forget", "three")
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
