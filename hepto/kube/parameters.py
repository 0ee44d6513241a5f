"""What a node's Kubernetes depends on: the one argument of `plan`, of the probes and of the bootstrap objects.

Frozen and comparable; two equal values ask for the same files and services. Nothing here is read from the machine: the
agent fills it from configuration, address plan and network facts. `certificates` says where pki keeps its files.
"""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Address, IPv6Network

from hepto.address import AddressPlan
from hepto.values import Secret
from init.contract import paths

CLUSTER_DOMAIN = "cluster.local"
API_PORT = 6443
MIN_MTU = 1280
"""RFC 8200: below it an interface has no IPv6 at all, and says so nowhere."""


class Cni(Enum):
    """`native`: ptp, host-local and portmap, nothing to deploy. `none`: the user deploys a network plugin."""

    NATIVE = "native"
    NONE = "none"


class Proxy(Enum):
    """`native`: kube-proxy in nftables mode. `none`: the user's network plugin replaces it."""

    NATIVE = "native"
    NONE = "none"


@dataclass(frozen=True)
class Mirror:
    """Pull images of registry `host` from `mirror` (a host, or a URL)."""

    host: str
    mirror: str


@dataclass(frozen=True)
class Credential:
    """Who this node is towards the registry or mirror `host` (with its port, if it has one)."""

    host: str
    user: str
    password: Secret


@dataclass(frozen=True)
class Certificates:
    """Where pki keeps its files: `pair` is certificate and key in one PEM file, replaced by one rename."""

    directory: str

    def authority(self, name: str = "ca") -> str:
        """The certificate of an authority: `ca`, `etcd-ca` or `front-proxy-ca`."""
        return f"{self.directory}/{name}.crt"

    def pair(self, profile: str) -> str:
        """Certificate and key of a profile of hepto/pki/profiles.py."""
        return f"{self.directory}/{profile}.pem"

    @property
    def service_account_key(self) -> str:
        """Private key that signs service account tokens."""
        return f"{self.directory}/service-account.pem"

    @property
    def service_account_public(self) -> str:
        """Public half of the service account key."""
        return f"{self.directory}/service-account.pub"

    @property
    def secrets_encryption(self) -> str:
        """EncryptionConfiguration with the secretbox key."""
        return f"{self.directory}/secrets-encryption.json"


@dataclass(frozen=True)
class KubeParameters:
    plan: AddressPlan
    node: str
    """Name of this node, which is its Node object's."""
    master: bool
    """Runs etcd and the control plane (role master or full)."""
    worker: bool
    """Runs pods (role node or full)."""
    data: str
    """`<data>/<cluster>/<node>`: pki, etcd and the operator's kubeconfig are below it."""
    masters: tuple[IPv6Address, ...]
    """Node addresses of the masters, the nearest first; on a master its own comes first."""
    resolvers: tuple[str, ...] = ()
    """The node's resolvers, link-local ones with their zone (`fe80::1%eth0`)."""
    search: tuple[str, ...] = ()
    nat64: IPv6Network | None = None
    """The prefix of the network's NAT64, of a length that RFC 6052 knows."""
    mtu: int = MIN_MTU
    """Of wg0, and so of pods."""
    cni: Cni = Cni.NATIVE
    proxy: Proxy = Proxy.NATIVE
    mirrors: tuple[Mirror, ...] = ()
    """Of several for one registry the first is tried first."""
    credentials: tuple[Credential, ...] = ()
    """At most one for each host."""
    images_digest: str = ""
    """Identifies the archive of baked-in images (its SHA-256): another one is imported, the same one is not."""
    memory: int | None = None
    """Bytes of memory of the machine, None if unknown: what the garbage collectors may use follows from it."""

    @property
    def address(self) -> IPv6Address:
        """The node's mesh address, which is its Kubernetes node IP."""
        return self.plan.node(self.node)

    @property
    def pods(self) -> IPv6Network:
        """/112 of this node's pods."""
        return self.plan.pod_subnet(self.node)

    @property
    def api_address(self) -> IPv6Address:
        """The apiserver that this node uses."""
        return self.masters[0]

    @property
    def api_url(self) -> str:
        """URL of the apiserver that this node uses."""
        return f"https://[{self.api_address}]:{API_PORT}"

    @property
    def certificates(self) -> Certificates:
        """Where pki keeps its files."""
        return Certificates(f"{self.data}/pki")

    @property
    def kubeconfig(self) -> str:
        """The operator's kubeconfig (masters)."""
        return f"{self.data}/kubeconfig"

    @property
    def etcd_data(self) -> str:
        """etcd's data directory."""
        return f"{self.data}/etcd"


def rendered(name: str) -> str:
    """Path of a rendered file that lives as long as the boot."""
    return f"{paths.KUBE}/{name}"
