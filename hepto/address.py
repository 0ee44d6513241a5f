"""The address plan: every address of a cluster follows from the cluster's and the node's name (contract.md section 4).

    prefix      /48   fd || SHA-256(cluster)[0:5]
    nodes       /56   prefix || 01                  node address      prefix || 01 00 || SHA-256(node)[0:8]
    pods        /56   prefix || 02                  pod subnet /112   prefix || 02 || SHA-256(node)[0:7] || 00 00
    services    /112  prefix || 03 00 || 0…         ::1 is kubernetes, ::a is cluster DNS

Names are hashed as UTF-8 and nothing else enters, so that any member can check any other's claim. A change of one byte
here is a breaking change: running clusters would lose every address they have.
"""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

UNIQUE_LOCAL = b"\xfd"
NODES = b"\x01"
PODS = b"\x02"
SERVICES = b"\x03"

KUBERNETES_SERVICE = 1
DNS_SERVICE = 10


@dataclass(frozen=True)
class AddressPlan:
    """The networks of one cluster."""

    cluster: str

    @property
    def prefix(self) -> IPv6Network:
        """/48 that holds all addresses of the cluster."""
        return _network(self._prefix, 48)

    @property
    def nodes(self) -> IPv6Network:
        """/56 of the node addresses."""
        return _network(self._prefix + NODES, 56)

    @property
    def pods(self) -> IPv6Network:
        """/56 of all pod subnets."""
        return _network(self._prefix + PODS, 56)

    @property
    def services(self) -> IPv6Network:
        """/112 of the ClusterIPs."""
        return _network(self._prefix + SERVICES, 112)

    @property
    def kubernetes_service(self) -> IPv6Address:
        """ClusterIP of the apiserver."""
        return self.services[KUBERNETES_SERVICE]

    @property
    def dns_service(self) -> IPv6Address:
        """ClusterIP of cluster DNS."""
        return self.services[DNS_SERVICE]

    def node(self, name: str) -> IPv6Address:
        """The mesh address of node `name`, which is its Kubernetes node IP."""
        return IPv6Address(self._prefix + NODES + b"\0" + _digest(name)[:8])

    def pod_subnet(self, name: str) -> IPv6Network:
        """/112 of the pods of node `name`."""
        return _network(self._prefix + PODS + _digest(name)[:7], 112)

    @property
    def _prefix(self) -> bytes:
        return UNIQUE_LOCAL + _digest(self.cluster)[:5]


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def _network(leading: bytes, length: int) -> IPv6Network:
    return IPv6Network((leading.ljust(16, b"\0"), length))
