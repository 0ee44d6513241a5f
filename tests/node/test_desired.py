from dataclasses import replace
from ipaddress import IPv6Network

import pytest

from hepto.clock import chrony
from hepto.kube.parameters import Cni, Credential, Proxy
from hepto.net.model import Missing, View
from hepto.node import desired
from hepto.pki.profiles import MINUTES, PROFILES
from hepto.values import Secret
from init.contract.status import Reason
from tests.node.facts import NETWORK, config, identity


def texts(network: View, **values: str) -> dict[str, str]:
    plan = desired.base(identity(**values), network)
    return {file.path.rpartition("/")[2]: file.data.decode() for file in plan.files}


def test_localhost_is_only_ipv6_and_the_node_has_its_mesh_address() -> None:
    lines = texts(View())["hosts"].splitlines()

    assert lines[0].split()[:2] == ["::1", "localhost"]
    assert lines[1] == f"{identity().address} one"
    assert "127." not in texts(View())["hosts"]


def test_resolvers_come_with_their_scope_and_search_domains() -> None:
    assert texts(NETWORK)["resolv.conf"] == ("search lab.internal\nnameserver fe80::53%eth0\nnameserver 2001:db8::53\n")


@pytest.mark.parametrize("network", [View(), replace(NETWORK, resolvers=None)])
def test_unknown_resolvers_leave_the_file_alone(network: View) -> None:
    plan = desired.base(identity(), network)

    assert not any("resolv.conf" in path for path in (*(file.path for file in plan.files), *plan.absent))


NAT64 = replace(NETWORK, nat64=IPv6Network("64:ff9b::/96"))
FIRST = f"nameserver {identity().address}\n"


def test_with_nat64_the_cluster_dns_of_the_node_is_asked_first() -> None:
    """It makes addresses that the network's resolvers may not make; without pods there is none."""
    expected = "nameserver fe80::53%eth0\nnameserver 2001:db8::53\n"
    head = "search lab.internal\n# NAT64 64:ff9b::/96\n"

    assert texts(NAT64)["resolv.conf"] == head + FIRST + expected
    assert texts(NAT64, role="master")["resolv.conf"] == head + expected
    assert texts(NAT64, debug="no-kube")["resolv.conf"] == head + expected


def test_cluster_dns_itself_never_asks_the_node_s_cluster_dns() -> None:
    written = texts(NAT64)["resolv.conf"].encode()
    parameters = desired.kube_parameters(
        identity(), desired.recall(identity(), replace(NAT64, resolvers=None, nat64=None), written), "one", "", None
    )

    assert parameters is not None
    assert parameters.resolvers == NETWORK.resolvers
    assert parameters.nat64 == NAT64.nat64


@pytest.mark.parametrize("network", [NETWORK, NAT64])
def test_what_was_written_is_recalled_until_a_router_has_spoken(network: View) -> None:
    who, written = identity(), texts(network)["resolv.conf"].encode()
    unknown = replace(network, resolvers=None, search=(), nat64=None)

    assert desired.recall(who, unknown, written) == network
    assert desired.recall(who, network, b"nameserver ::1\n") == network
    assert desired.recall(who, unknown, None) == unknown
    assert desired.recall(who, unknown, b"") == unknown
    assert desired.recall(who, unknown, FIRST.encode() + b"# NAT64 nonsense\n") == unknown


def test_a_prefix_that_routers_advertise_no_longer_is_forgotten() -> None:
    """Resolvers that were configured are known before any router has spoken, the prefix is not."""
    written = texts(NAT64)["resolv.conf"].encode()

    assert desired.recall(identity(), NETWORK, written) == NAT64
    assert desired.recall(identity(), replace(NETWORK, heard=True), written) == replace(NETWORK, heard=True)


def test_credentials_for_registries_reach_containerd() -> None:
    who = identity(registry_credentials="mirror.example:5000=me:secret,ghcr.io=you:other")
    parameters = desired.kube_parameters(who, NETWORK, "one", "", None)

    assert parameters is not None
    assert parameters.credentials == (
        Credential("mirror.example:5000", "me", Secret(b"secret")),
        Credential("ghcr.io", "you", Secret(b"other")),
    )


def test_the_clock_s_service_comes_with_the_network() -> None:
    waiting = replace(NETWORK, missing=Missing(Reason.ADDRESS, "eth0", "", ""))

    assert desired.base(identity(), View()).services == {}
    assert desired.base(identity(), waiting).services == {}
    assert chrony.NAME in desired.base(identity(), NETWORK).services
    assert desired.base(replace(identity(), contained=True), NETWORK).services == {}


def test_kubernetes_does_not_wait_for_the_underlay() -> None:
    parameters = desired.kube_parameters(identity(), View(), "one", "abc", 1 << 30)

    assert parameters is not None
    assert (parameters.mtu, parameters.resolvers, parameters.masters) == (1420, (), (identity().address,))


def test_parameters_follow_configuration_and_network() -> None:
    who = identity(cni="none", proxy="none", registry_mirrors="docker.io=mirror.example")
    parameters = desired.kube_parameters(who, replace(NETWORK, mtu=1400), "one", "abc", None)

    assert parameters is not None
    assert (parameters.cni, parameters.proxy, parameters.mtu) == (Cni.NONE, Proxy.NONE, 1320)
    assert [mirror.host for mirror in parameters.mirrors] == ["docker.io"]
    assert parameters.resolvers == ("fe80::53%eth0", "2001:db8::53")


def test_without_kubernetes_nothing_of_it_is_planned() -> None:
    assert desired.kube_parameters(identity(debug="no-kube"), NETWORK, "one", "", None) is None


def test_leaves_are_short_only_if_that_was_asked_for() -> None:
    assert identity(debug="lab,short-leaves").longest_leaf == MINUTES
    assert all(profile.lifetime < identity(debug="lab").longest_leaf for profile in PROFILES)


@pytest.mark.parametrize(
    ("values", "expected"),
    [({}, True), ({"kube_api": "mesh"}, False)],
)
def test_the_apiserver_is_open_only_on_masters_that_want_it(values: dict[str, str], expected: bool) -> None:
    assert desired.firewall_policy(identity(**values)).api_server is expected


def test_the_firewall_knows_all_ports_of_the_configuration() -> None:
    policy = desired.firewall_policy(identity(port="1001", api_port="1002", mesh_port="1003", open="tcp/8443"))

    assert (policy.gossip_port, policy.api_port, policy.mesh_port) == (1001, 1002, 1003)
    assert policy.open == (("tcp", 8443),)


def test_the_machine_id_follows_from_the_names_and_is_one() -> None:
    one = desired.machine_id("demo", "one")

    assert one == desired.machine_id("demo", "one")
    assert one != desired.machine_id("demoo", "ne")
    assert len(bytes.fromhex(one)) == 16


def test_the_network_sees_its_part_of_the_configuration() -> None:
    settings = desired.network_settings(config(iface="eth1", ip="2001:db8::5/64", gw="fe80::1", dns="2001:db8::53"))

    assert (settings.iface, str(settings.ip), str(settings.gw)) == ("eth1", "2001:db8::5/64", "fe80::1")


def test_a_worker_uses_the_apiserver_of_its_master() -> None:
    who = identity(role="node", anchor="two.example.org")
    parameters = desired.kube_parameters(who, NETWORK, "two", "abc", None)

    assert parameters is not None
    assert (parameters.master, parameters.worker) == (False, True)
    assert parameters.masters == (who.plan.node("two"),)
