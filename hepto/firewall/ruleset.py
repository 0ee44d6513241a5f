"""The desired ruleset as a pure function, in the words of libnftables-json(5).

Promises: one transaction that may be applied again and again, with any other of this function in force before: chains
are added, then flushed, then filled, so that established connections and their translations live on.
"""

from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import Any

from hepto.address import AddressPlan

FAMILY = "inet"
TABLE = "hepto"
ETCD_CLIENT, ETCD_PEER = 2379, 2380
API_SERVER = 6443

RAW, FILTER, SRCNAT = -300, 0, 100  # include/uapi/linux/netfilter_ipv6.h
LAST = 300
"""After source translation (100) and after connection tracking's helpers: what is seen here is what leaves."""

ERRORS_AND_ECHO = (
    "destination-unreachable",
    "packet-too-big",
    "time-exceeded",
    "parameter-problem",
    "echo-request",
    "echo-reply",
)
"""RFC 4890 section 4.4.1: must not be dropped."""
NEIGHBOURS = (
    "nd-router-advert",
    "nd-neighbor-solicit",
    "nd-neighbor-advert",
    "ind-neighbor-solicit",
    "ind-neighbor-advert",
)
"""Only from the link itself (hop limit 255). Redirects are not accepted, router solicitations not answered."""
LISTENERS = ("mld-listener-query", "mld-listener-report", "mld-listener-reduction", "mld2-listener-report")
"""Multicast listener discovery: link-local sources only."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Policy:
    plan: AddressPlan
    node: str
    underlay: tuple[str, ...] = ()
    """Names of all interfaces that are or could become the underlay."""
    mesh: str = "wg0"
    gossip_port: int = 7946
    api_port: int = 7947
    mesh_port: int = 7948
    api_server: bool = False
    """The apiserver runs here and answers on the underlay (`kube-api=open`)."""
    closed: bool = False
    """It does not serve yet: all but this host itself are sent away."""
    open: tuple[tuple[str, int], ...] = ()
    """Further ports, as ("tcp", 8443)."""
    native: bool = True
    """`cni=native`: pods' sources are checked and masqueraded here; else that is the network plugin's affair."""


def transaction(policy: Policy) -> Json:
    """The whole table as one atomic change."""
    chains = (
        _chain("guard", "filter", "prerouting", RAW),
        _chain("input", "filter", "input", FILTER),
        _chain("forward", "filter", "forward", FILTER),
        _chain("leave", "nat", "postrouting", SRCNAT),
        _chain("last", "filter", "postrouting", LAST),
    )
    name: Json = {"family": FAMILY, "name": TABLE}
    underlay: Json = {"family": FAMILY, "table": TABLE, "name": "underlay"}
    objects: list[Json] = [{"add": {"table": name}}, *({"add": {"chain": chain}} for chain in chains)]
    objects += [
        {"flush": {"table": name}},
        {"add": {"set": {**underlay, "type": "ifname"}}},
        {"flush": {"set": underlay}},
    ]
    if policy.underlay:
        objects.append({"add": {"element": {**underlay, "elem": list(policy.underlay)}}})
    for chain, rules in (
        ("guard", _guard(policy)),
        ("input", _input(policy)),
        ("forward", _forward(policy)),
        ("leave", _leave(policy)),
        ("last", _last(policy)),
    ):
        objects += [
            {"add": {"rule": {"family": FAMILY, "table": TABLE, "chain": chain, "expr": rule}}} for rule in rules
        ]
    return {"nftables": objects}


def _guard(policy: Policy) -> list[list[Json]]:
    cluster = policy.plan.prefix
    rules = [
        [_from_underlay(), _match(_meta("nfproto"), "ipv4"), _drop()],
        [_from_underlay(), _match(_address("saddr"), _prefix(cluster)), _drop()],
        [_from_underlay(), _match(_address("daddr"), _prefix(cluster)), _drop()],
    ]
    if policy.native:
        own = _prefix(policy.plan.pod_subnet(policy.node))
        # Link-local and unspecified sources are the neighbour discovery of the pod's link; they are never forwarded.
        link = [_prefix(IPv6Network("fe80::/10")), "::"]
        rules.append([*_from_pods(policy), _match(_address("saddr"), {"set": [own, *link]}, "!="), _drop()])
    return rules


def _input(policy: Policy) -> list[list[Json]]:
    rules = [[_established(), _accept()], *_pods_to_node(policy)]
    if policy.closed:
        others = _match(_meta("iifname"), "lo", "!=")
        rules.append([others, _match(_payload("tcp", "dport"), API_SERVER), {"reject": {"type": "tcp reset"}}])
    rules.append([_from_underlay(negated=True), _accept()])
    # From here on everything comes from the underlay.
    rules += [
        [_match(_icmp(), {"set": list(ERRORS_AND_ECHO)}), _accept()],
        [_match(_icmp(), {"set": list(NEIGHBOURS)}), _match(_payload("ip6", "hoplimit"), 255), _accept()],
        [
            _match(_icmp(), {"set": list(LISTENERS)}),
            _match(_address("saddr"), _prefix(IPv6Network("fe80::/10"))),
            _accept(),
        ],
        [_translated(), _accept()],
    ]
    for protocol, ports in _listeners(policy).items():
        rules.append([_match(_payload(protocol, "dport"), {"set": sorted(ports)}), _accept()])
    rules.append([_drop()])
    return rules


def _listeners(policy: Policy) -> dict[str, set[int]]:
    ports = {
        "udp": {policy.gossip_port, policy.mesh_port},
        "tcp": {policy.gossip_port, policy.api_port},
    }
    if policy.api_server:
        ports["tcp"].add(API_SERVER)
    for protocol, port in policy.open:
        ports[protocol].add(port)
    return ports


def _pods_to_node(policy: Policy) -> list[list[Json]]:
    """What a pod may not reach on a node, its own or another's whose pods came through the mesh."""
    drops = []
    for protocol, ports in _forbidden(policy).items():
        destination = _match(_payload(protocol, "dport"), {"set": ports})
        drops.append([*_from_pods(policy), destination, _drop()])
        drops.append([_match(_address("saddr"), _prefix(policy.plan.pods)), destination, _drop()])
    return drops


def _forbidden(policy: Policy) -> dict[str, list[int]]:
    return {
        "udp": sorted({policy.gossip_port, policy.mesh_port}),
        "tcp": sorted({policy.gossip_port, policy.api_port, ETCD_CLIENT, ETCD_PEER}),
    }


def _clamp(policy: Policy) -> list[list[Json]]:
    """Pods' TCP through the mesh begins with segments that the way to that peer carries; no error has to come back.

    `rt mtu` is the smaller of the two routes', there and back (net/netfilter/nft_rt.c). A host's own TCP needs none of
    this: it looks at its route by itself.
    """
    opening = {"match": {"op": "==", "left": {"&": [_payload("tcp", "flags"), ["syn", "rst"]]}, "right": "syn"}}
    size = {"tcp option": {"name": "maxseg", "field": "size"}}
    clamp = {"mangle": {"key": size, "value": {"rt": {"key": "mtu"}}}}
    return [[_match(_meta(way), policy.mesh), opening, clamp] for way in ("iifname", "oifname")]


def _forward(policy: Policy) -> list[list[Json]]:
    rules = [*_clamp(policy), [_established(), _accept()]]
    for protocol, ports in _forbidden(policy).items():
        destination = _match(_payload(protocol, "dport"), {"set": ports})
        nodes = _match(_address("daddr"), _prefix(policy.plan.nodes))
        rules.append([*_from_pods(policy), nodes, destination, _drop()])
    # A node's address on the underlay is not known to be one: hepto's own ports are closed to pods out there.
    for protocol, ports in _forbidden(policy).items():
        own = [port for port in ports if port not in (ETCD_CLIENT, ETCD_PEER)]
        destination = _match(_payload(protocol, "dport"), {"set": own})
        rules.append([*_from_pods(policy), _to_underlay(), destination, _drop()])
    rules += [
        [_from_underlay(), _translated(), _accept()],
        [_from_underlay(), _drop()],
        # A peer's pods leave through their own node: this one is no way out for the mesh.
        [_match(_meta("iifname"), policy.mesh), _to_underlay(), _drop()],
    ]
    return rules


def _leave(policy: Policy) -> list[list[Json]]:
    if not policy.native:
        return []
    return [
        [
            _to_underlay(),
            _match(_address("saddr"), _prefix(policy.plan.prefix)),
            # A destination inside is not made to look right: `last` has to see and drop it.
            _match(_address("daddr"), _prefix(policy.plan.prefix), "!="),
            {"masquerade": {"flags": "fully-random"}},
        ]
    ]


def _last(policy: Policy) -> list[list[Json]]:
    cluster = _prefix(policy.plan.prefix)
    return [
        [_to_underlay(), _match(_address("saddr"), cluster), _drop()],
        [_to_underlay(), _match(_address("daddr"), cluster), _drop()],
    ]


# --- words of libnftables-json(5)


def _chain(name: str, kind: str, hook: str, priority: int) -> Json:
    return {
        "family": FAMILY,
        "table": TABLE,
        "name": name,
        "type": kind,
        "hook": hook,
        "prio": priority,
        "policy": "accept",
    }


def _match(left: Json, right: Any, operator: str = "==") -> Json:
    return {"match": {"op": operator, "left": left, "right": right}}


def _meta(key: str) -> Json:
    return {"meta": {"key": key}}


def _payload(protocol: str, field: str) -> Json:
    return {"payload": {"protocol": protocol, "field": field}}


def _address(field: str) -> Json:
    return _payload("ip6", field)


def _icmp() -> Json:
    return _payload("icmpv6", "type")


def _prefix(network: IPv6Network) -> Json:
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


def _from_underlay(*, negated: bool = False) -> Json:
    return _match(_meta("iifname"), "@underlay", "!=" if negated else "==")


def _to_underlay() -> Json:
    return _match(_meta("oifname"), "@underlay")


def _from_pods(policy: Policy) -> list[Json]:
    """Pods' interfaces are those that are nothing else, whatever a network plugin calls them."""
    return [_from_underlay(negated=True), _match(_meta("iifname"), {"set": ["lo", policy.mesh]}, "!=")]


def _established() -> Json:
    return {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}


def _translated() -> Json:
    return {"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}}


def _accept() -> Json:
    return {"accept": None}


def _drop() -> Json:
    return {"drop": None}
