import json
from dataclasses import replace
from typing import Any

from hepto.address import AddressPlan
from hepto.firewall.ruleset import Policy, transaction

POLICY = Policy(AddressPlan("mycluster"), "node1", underlay=("eth0",))


def rules(policy: Policy, chain: str) -> list[list[dict[str, Any]]]:
    added = (item["add"] for item in transaction(policy)["nftables"] if "add" in item)
    return [entry["rule"]["expr"] for entry in added if "rule" in entry and entry["rule"]["chain"] == chain]


def text(policy: Policy, chain: str) -> list[str]:
    return [json.dumps(rule) for rule in rules(policy, chain)]


def test_one_transaction_adds_flushes_and_fills() -> None:
    verbs = [(next(iter(item)), next(iter(next(iter(item.values()))))) for item in transaction(POLICY)["nftables"]]

    assert verbs[0] == ("add", "table")
    assert verbs.index(("flush", "table")) < verbs.index(("add", "rule"))
    assert verbs.index(("flush", "set")) < verbs.index(("add", "element"))
    assert ("delete", "table") not in verbs, "chains of translation must live on for the connections that use them"


def test_without_an_interface_the_set_is_empty_and_the_rules_are_the_same() -> None:
    empty = replace(POLICY, underlay=())

    assert not any("element" in item.get("add", {}) for item in transaction(empty)["nftables"])
    assert text(empty, "input") == text(POLICY, "input")


def test_the_cluster_s_prefix_is_dropped_inbound_before_anything_and_outbound_after_everything() -> None:
    prefix = '{"prefix": {"addr": "fd6d:9999:dd30::", "len": 48}}'
    chains = {
        item["add"]["chain"]["name"]: item["add"]["chain"]
        for item in transaction(POLICY)["nftables"]
        if "chain" in item.get("add", {})
    }

    assert chains["guard"]["hook"] == "prerouting"
    assert chains["guard"]["prio"] < -200  # connection tracking
    assert chains["last"]["hook"] == "postrouting"
    assert chains["last"]["prio"] > chains["leave"]["prio"]
    for chain, field in (("guard", "saddr"), ("guard", "daddr"), ("last", "saddr"), ("last", "daddr")):
        assert any(prefix in rule and field in rule and "drop" in rule for rule in text(POLICY, chain))


def test_the_apiserver_is_reached_from_outside_only_when_it_is_open() -> None:
    closed = "".join(text(POLICY, "input"))
    opened = "".join(text(replace(POLICY, api_server=True), "input"))

    assert "6443" not in closed
    assert "6443" in opened


def test_an_apiserver_that_does_not_serve_yet_sends_all_but_its_own_host_away() -> None:
    rule = next(rule for rule in text(replace(POLICY, closed=True), "input") if "reject" in rule)

    assert "tcp reset" in rule
    assert '"op": "!=", "left": {"meta": {"key": "iifname"}}, "right": "lo"' in rule
    assert "6443" in rule
    assert not any("reject" in rule for rule in text(POLICY, "input"))


def test_ports_of_the_user_are_added_to_hepto_s_own() -> None:
    found = text(replace(POLICY, open=(("tcp", 8443), ("udp", 53))), "input")

    assert any('"set": [7946, 7947, 8443]' in rule and '"tcp"' in rule for rule in found)
    assert any('"set": [53, 7946, 7948]' in rule and '"udp"' in rule for rule in found)
    assert found[-1] == '[{"drop": null}]'


def test_other_ports_of_hepto_move_with_the_configuration() -> None:
    policy = replace(POLICY, gossip_port=1001, api_port=1002, mesh_port=1003)

    everything = json.dumps(transaction(policy))

    assert not {"7946", "7947", "7948"} & set(everything.replace(",", " ").replace("]", " ").split())
    assert '"set": [1001, 1003]' in everything


def test_a_network_plugin_of_the_user_checks_and_masquerades_by_itself() -> None:
    policy = replace(POLICY, native=False)

    assert rules(policy, "leave") == []
    assert len(rules(policy, "guard")) == len(rules(POLICY, "guard")) - 1
    assert rules(policy, "last") == rules(POLICY, "last"), "no cluster packet in clear, whoever made it"


def test_tcp_through_the_mesh_is_clamped_to_its_route_before_anything_is_accepted() -> None:
    found = text(replace(POLICY, mesh="wg7"), "forward")

    for rule, way in zip(found[:2], ("iifname", "oifname"), strict=True):
        assert f'"key": "{way}"' in rule
        assert '"right": "wg7"' in rule
        assert '{"rt": {"key": "mtu"}}' in rule
    assert "accept" in found[2], "a SYN-ACK is of an established connection"
    assert not any("maxseg" in rule for rule in found[2:])
