"""What a configuration means: its addresses, ports and values in force, for `hepto info` and the option `info`.

Pure. The result is plain data (JSON), without any secret.
"""

from typing import Any

from hepto.address import AddressPlan
from hepto.config import Config
from hepto.given import Source

APISERVER_PORT = 6443


def describe(config: Config, name: str | None, provenance: dict[str, Source]) -> dict[str, Any]:
    """Everything that follows from `config`; `name` is the node's, if it is known."""
    plan = AddressPlan(config.cluster)
    return {
        "options": {
            option: {"value": value, "source": str(provenance[option])} for option, value in config.shown().items()
        },
        "cluster": {
            "name": config.cluster,
            "prefix": str(plan.prefix),
            "nodes": str(plan.nodes),
            "pods": str(plan.pods),
            "services": str(plan.services),
            "kubernetes": str(plan.kubernetes_service),
            "dns": str(plan.dns_service),
        },
        "node": None
        if name is None
        else {
            "name": name,
            "address": str(plan.node(name)),
            "pods": str(plan.pod_subnet(name)),
            "data": str(config.data / config.cluster / name),
        },
        "ports": [{"port": port, "purpose": purpose} for port, purpose in underlay_ports(config)],
    }


def underlay_ports(config: Config) -> tuple[tuple[str, str], ...]:
    """What is open on the underlay besides NodePorts, hostPorts and ICMPv6 (contract.md section 5)."""
    ports = [
        (f"udp/{config.port}", "gossip"),
        (f"tcp/{config.port}", "gossip"),
        (f"tcp/{config.api_port}", "node API"),
        (f"udp/{config.mesh_port}", "WireGuard"),
    ]
    if config.role.has_control_plane and config.kube_api == "open":
        ports.append((f"tcp/{APISERVER_PORT}", "apiserver"))
    return (*ports, *((f"{port.protocol}/{port.number}", "option open") for port in config.open))
