"""With `hepto.cni=none` a network plugin of the user comes as those come: a DaemonSet writes its list on each node.

It is ptp and host-local, as a third party would set them: a file name and a table of its own, masquerading by the
plugin. hepto stays out of the way: no list, no rule for pods of its own, and a restarted agent changes nothing.
"""

import contextlib
import json
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from hepto.address import AddressPlan
from hepto.edge.cache import cache_directory
from hepto.kube import cni, plugins, proxy
from hepto.lab import boot, demo
from tests.vm import harness
from tests.vm.harness import Node, Quiet, eventually

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.timeout(600, func_only=True)]

ADVICE = "deploy your network plugin"
LIST = "/etc/cni/net.d/05-third.conflist"
OUTSIDE = "http://[2001:db8:2::2]/"
PLAN = AddressPlan("demo")
RULES = "nft -j list table inet hepto"


def third(pods: str, mtu: int) -> dict[str, Any]:
    """The list of a plugin that takes `spec.podCIDRs`."""
    ipam = {"type": "host-local", "ranges": [[{"subnet": pods}]], "routes": [{"dst": "::/0"}]}
    ptp = {"type": "ptp", "mtu": mtu, "ipMasq": True, "ipMasqBackend": "nftables", "ipam": ipam}
    return {"cniVersion": "1.0.0", "name": "third", "plugins": [ptp]}


def installer(content: str) -> dict[str, Any]:
    """A DaemonSet in the host's network, which starts before any plugin is there."""
    script = (
        'printf %s "$LIST" > /host/.new && mv /host/.new /host/05-third.conflist; trap exit TERM; sleep 86400 & wait'
    )
    container = demo.container(
        "install",
        script,
        env=[{"name": "LIST", "value": content}],
        volumeMounts=[{"name": "lists", "mountPath": "/host"}],
    )
    labels = {"app": "third"}
    pod = {
        "hostNetwork": True,
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "lists", "hostPath": {"path": "/etc/cni/net.d"}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "third"}, "spec": spec}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node that waits for its plugin and nothing else; no other emulated node was booting. kube-proxy is hepto's."""
    lab, key = harness.planned("plugin", options=("hepto.cni=none",))
    with contextlib.ExitStack() as stack:
        with boot.turn(cache_directory(), lab.emulator.accelerator, Quiet()):
            nodes = stack.enter_context(harness.running(lab, key))
            nodes["one"].wait_console(ADVICE, harness.READY_LIMIT)
        yield nodes["one"]


def chain(node: Node, name: str) -> list[Any]:
    """The rules of one chain of hepto's table."""
    found = json.loads(node.sh(RULES))["nftables"]
    return [item["rule"]["expr"] for item in found if item.get("rule", {}).get("chain") == name]


def test_without_a_plugin_the_node_says_what_it_waits_for(node: Node) -> None:
    said = node.status()

    assert not said["ready"]
    assert ADVICE in node.console()
    assert node.sh(f"ls {cni.LIST} 2>/dev/null; true") == ""
    assert proxy.NAME in node.services()


def test_a_plugin_of_the_user_makes_it_ready_and_pods_answer_through_their_service(node: Node) -> None:
    (pods,) = node.get("node", "one")["spec"]["podCIDRs"]
    mtu = plugins.Surroundings(PLAN, PLAN.node("one"), int(node.sh("cat /sys/class/net/wg0/mtu"))).pod_mtu
    node.apply(installer(json.dumps(third(pods, mtu))))
    node.wait_ready()

    saw = demo.show(node.connection, Quiet())
    assert len(saw.answers) == demo.REPLICAS
    addresses = [item["status"]["podIP"] for item in node.get("pods", "-l", f"app={demo.NAME}")["items"]]
    assert len(addresses) == demo.REPLICAS
    assert all(ip_address(address) in PLAN.pod_subnet("one") for address in addresses)


def test_pods_leave_under_the_node_s_address_by_the_plugin_s_own_doing(node: Node) -> None:
    name = node.get("pods", "-l", f"app={demo.NAME}")["items"][0]["metadata"]["name"]

    seen = node.kubectl("exec", name, "--", "/bin/busybox", "wget", "-q", "-T", "20", "-O", "-", OUTSIDE)

    assert seen == node.view()["address"]
    assert chain(node, "leave") == []


def test_a_restarted_agent_leaves_the_plugin_alone(node: Node) -> None:
    before = node.sh(f"cat {LIST}; stat -c '%i %Y' {LIST}")
    pids = node.service_pids()
    node.run("/usr/bin/hepto", "service", "restart", "agent")
    eventually(lambda: node.service_pids()["agent"] != pids["agent"] and node.status()["ready"], "it is ready again")

    assert node.sh(f"cat {LIST}; stat -c '%i %Y' {LIST}") == before
    assert node.sh(f"ls {cni.LIST} 2>/dev/null; true") == ""
    assert {name: pid for name, pid in node.service_pids().items() if name != "agent"} == {
        name: pid for name, pid in pids.items() if name != "agent"
    }
