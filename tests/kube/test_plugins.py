"""Ready values for network plugins: every key is one that the plugin documents, and every value fits the cluster."""

import json
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.address import AddressPlan
from hepto.kube import plugins, proxy
from hepto.kube.parameters import MIN_MTU
from hepto.kube.plugins import Surroundings, TooSmall
from tests.kube.example import ADDRESS, FULL, PLAN

TABLES = Path(__file__).parents[1] / "vectors/plugins"
TYPES = {"string": str, "boolean": bool, "integer": int}
AROUND = Surroundings(PLAN, PLAN.node("mymaster"), 1420)
VARIANTS = [
    replace(AROUND, encapsulated=encapsulated, without_proxy=without_proxy)
    for encapsulated in (False, True)
    for without_proxy in (False, True)
]
PRINTED = {
    "cilium": [plugins.cilium(around) for around in VARIANTS],
    "calico": [plugins.calico(around) for around in VARIANTS if not around.without_proxy],
    "kube-proxy": [
        json.loads(plugins.kube_proxy(AROUND, "v1.37.2")["items"][2]["data"]["config.json"]),
        json.loads(proxy.configuration(FULL).data),
    ],
}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and value of everything that is no object or list."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from leaves(inner, f"{path}.{key}" if path else key)
        case list():
            for inner in value:
                yield from leaves(inner, f"{path}[]")
        case _:
            yield path, value


def table(plugin: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((TABLES / f"{plugin}.json").read_text())
    return found


@pytest.mark.parametrize("plugin", PRINTED)
def test_every_key_is_documented_and_has_a_value_that_it_takes(plugin: str) -> None:
    keys = table(plugin)["keys"]
    for values in PRINTED[plugin]:
        for key, value in leaves(values):
            assert key in keys, f"{plugin} documents no {key}"
            assert type(value) is TYPES[keys[key]["type"]], key
            assert value in keys[key].get("values", [value]), key


@pytest.mark.parametrize("plugin", PRINTED)
def test_a_table_has_a_version_sources_meanings_and_no_key_that_is_never_printed(plugin: str) -> None:
    found = table(plugin)

    assert found["plugin"] == plugin
    assert found["version"]
    assert found["sources"]
    assert all(row["meaning"] for row in found["keys"].values())
    assert {key for values in PRINTED[plugin] for key, _ in leaves(values)} == set(found["keys"])
    documentation = (Path(__file__).parents[2] / "docs/networking.md").read_text()
    assert found["version"].removeprefix("v") in documentation


class TestCilium:
    """Helm values."""

    @pytest.mark.parametrize("around", VARIANTS)
    def test_pods_take_the_addresses_that_the_mesh_knows(self, around: Surroundings) -> None:
        values = plugins.cilium(around)

        assert values["ipam"] == {"mode": "kubernetes"}
        assert (values["ipv4"], values["ipv6"]) == ({"enabled": False}, {"enabled": True})
        assert values["k8sServiceHost"] == ADDRESS
        # Pods and nodes are met under their own address.
        network = IPv6Network(values["ipv6NativeRoutingCIDR"])
        assert PLAN.pods.subnet_of(network)
        assert PLAN.nodes.subnet_of(network)

    @pytest.mark.parametrize("around", VARIANTS)
    def test_masquerading_and_forwarding_are_both_ebpf_s_or_both_the_kernel_s(self, around: Surroundings) -> None:
        """Table `inet hepto` drops what leaves under a pod's address, and sees packets before eBPF at the interface."""
        values = plugins.cilium(around)

        assert values["bpf"]["masquerade"] is not values["bpf"]["hostLegacyRouting"]
        assert (values["kubeProxyReplacement"] == "true") is values["bpf"]["masquerade"] is around.without_proxy

    def test_it_takes_the_tunnel_s_share_off_the_mtu_by_itself(self) -> None:
        assert plugins.cilium(AROUND)["MTU"] == 1420
        assert plugins.cilium(replace(AROUND, encapsulated=True))["MTU"] == 1420
        assert plugins.cilium(replace(AROUND, encapsulated=True))["routingMode"] == "tunnel"


class TestCalico:
    """The operator's Installation."""

    def test_without_encapsulation_pods_take_the_addresses_that_the_mesh_knows(self) -> None:
        spec = plugins.calico(AROUND)["spec"]

        assert spec["cni"]["ipam"]["type"] == "HostLocal"
        assert spec["calicoNetwork"]["mtu"] == 1420
        assert spec["calicoNetwork"]["linuxDataplane"] == "Nftables"
        (pool,) = spec["calicoNetwork"]["ipPools"]
        assert (pool["cidr"], pool["encapsulation"]) == (str(PLAN.pods), "None")

    def test_in_vxlan_calico_chooses_them_and_pods_have_less_room(self) -> None:
        spec = plugins.calico(replace(AROUND, encapsulated=True))["spec"]

        assert spec["cni"]["ipam"]["type"] == "Calico"
        assert spec["calicoNetwork"]["mtu"] == 1420 - 70
        assert spec["calicoNetwork"]["ipPools"][0]["encapsulation"] == "VXLAN"

    def test_nothing_is_written_to_the_read_only_root(self) -> None:
        assert plugins.calico(AROUND)["spec"]["flexVolumePath"] == "None"


class TestKubeProxy:
    """A List for kubectl."""

    def test_it_is_ours_but_for_what_differs_between_nodes(self) -> None:
        ours, theirs = PRINTED["kube-proxy"][1], PRINTED["kube-proxy"][0]

        assert {key for key in ours | theirs if ours.get(key) != theirs.get(key)} == {"bindAddress", "clientConnection"}

    def test_files_are_where_they_are_looked_for(self) -> None:
        *_, files, daemon_set = plugins.kube_proxy(AROUND, "v1.37.2")["items"]
        (container,) = daemon_set["spec"]["template"]["spec"]["containers"]
        config = json.loads(files["data"]["config.json"])

        assert container["image"] == "registry.k8s.io/kube-proxy:v1.37.2"
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert f"--config={mounts['files']}/config.json" in container["command"]
        assert config["clientConnection"]["kubeconfig"] == f"{mounts['files']}/kubeconfig.json"
        volumes = {volume["name"]: volume for volume in daemon_set["spec"]["template"]["spec"]["volumes"]}
        assert set(volumes) == set(mounts)
        assert volumes["files"]["configMap"]["name"] == files["metadata"]["name"]

    def test_it_reaches_the_apiserver_without_a_service_and_may_read_services(self) -> None:
        account, binding, files, _ = plugins.kube_proxy(AROUND, "v1.37.2")["items"]
        kubeconfig = json.loads(files["data"]["kubeconfig.json"])

        assert kubeconfig["clusters"][0]["cluster"]["server"] == f"https://[{ADDRESS}]:6443"
        assert binding["roleRef"]["name"] == "system:node-proxier"
        (subject,) = binding["subjects"]
        assert (subject["name"], subject["namespace"]) == (account["metadata"]["name"], "kube-system")


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(MIN_MTU, 9000), st.booleans())
def test_of_any_cluster_pods_have_room_for_ipv6_or_it_is_said(cluster: str, mtu: int, encapsulated: bool) -> None:
    plan = AddressPlan(cluster)
    around = Surroundings(plan, plan.node("one"), mtu, encapsulated)

    for make in (plugins.cilium, plugins.calico):
        try:
            values = make(around)
        except TooSmall:
            assert encapsulated
            assert mtu - plugins.VXLAN_OVERHEAD < MIN_MTU
            continue
        assert around.pod_mtu >= MIN_MTU
        networks = [IPv6Network(value) for _, value in leaves(values) if "/" in str(value) and ":" in str(value)]
        assert networks
        assert all(network.subnet_of(plan.prefix) for network in networks)
