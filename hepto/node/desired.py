"""Configuration and facts -> the files and services of this node. Pure and level-triggered.

A fact that is unknown leaves out what depends on it, and what is left out is not removed by the writer (unlike what is
planned as absent): so a missing router or a restarted agent changes nothing that runs.
"""

import contextlib
import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv6Address, IPv6Network

from hepto.address import AddressPlan
from hepto.clock import chrony
from hepto.config import Config
from hepto.firewall.ruleset import Policy
from hepto.kube import parameters as kube
from hepto.kube.files import Directory, File, KubePlan
from hepto.mesh.plan import Mesh, mesh
from hepto.net.model import Settings, View
from hepto.node.facts import Facts
from hepto.pki.profiles import AUTHORITY_LIFETIME, MINUTES, Subject
from hepto.values import Anchor
from init.contract import paths

NO_KUBERNETES = "no-kube"
SHORT_LEAVES = "short-leaves"
NAT64_MARK = "# NAT64"
"""In resolv.conf, with the prefix behind it."""


@dataclass(frozen=True)
class Identity:
    """Who this node is; nothing here changes while it runs."""

    config: Config
    node: str
    directory: str
    """`<data>/<cluster>/<node>`."""
    machine_id: str
    contained: bool = False
    """It is a container on a host, which keeps the clock."""

    @property
    def plan(self) -> AddressPlan:
        """The cluster's networks."""
        return AddressPlan(self.config.cluster)

    @property
    def address(self) -> IPv6Address:
        """The node's address on the mesh."""
        return self.plan.node(self.node)

    @property
    def runs_kubernetes(self) -> bool:
        """False with `hepto.debug=no-kube`."""
        return NO_KUBERNETES not in self.config.debug

    @property
    def longest_leaf(self) -> timedelta:
        """No certificate that this node issues for one lives longer: `hepto.debug=short-leaves`."""
        return MINUTES if SHORT_LEAVES in self.config.debug else AUTHORITY_LIFETIME


def machine_id(cluster: str, node: str) -> str:
    """machine-id(5): follows from the names, so that a node without a disk has the same at each boot."""
    return hashlib.sha256(b"hepto machine-id 1\0" + cluster.encode() + b"\0" + node.encode()).hexdigest()[:32]


def network_settings(config: Config) -> Settings:
    """What the underlay sees of the configuration."""
    return Settings(config.iface, config.ip, config.gw, config.dns, config.search)


def firewall_policy(identity: Identity) -> Policy:
    """What the firewall sees; the network adds the names of interfaces."""
    config = identity.config
    return Policy(
        plan=identity.plan,
        node=identity.node,
        gossip_port=config.port,
        api_port=config.api_port,
        mesh_port=config.mesh_port,
        api_server=config.role.has_control_plane and config.kube_api == "open",
        open=tuple((port.protocol, port.number) for port in config.open),
        native=config.cni == "native",
    )


def mesh_interface(identity: Identity, network: View) -> Mesh:
    """wg0."""
    return mesh(identity.plan, identity.node, identity.config.mesh_port, network.mtu)


def subject(identity: Identity) -> Subject:
    """What enters this node's certificates."""
    config = identity.config
    return Subject(
        cluster=config.cluster,
        node=identity.node,
        address=identity.address,
        master=config.role.has_control_plane,
        worker=config.role.has_pods,
        kubernetes_service=identity.plan.kubernetes_service,
        api_names=config.api_names,
    )


def other_anchors(identity: Identity, network: View | None) -> tuple[Anchor, ...]:
    """The anchors that are not this node itself: all nodes of a cluster may be given the same list."""
    own = {identity.node, *(str(address) for address in (network.addresses if network else ()))}
    return tuple(anchor for anchor in identity.config.anchor if anchor.host not in own)


def may_gossip(identity: Identity, facts: Facts) -> bool:
    """There is an address that others can reach, and no service of the node is kept waiting by gossip's own start."""
    reachable = facts.network is not None and facts.network.addresses
    return bool(reachable) and (facts.planned is not None or bool(facts.problems or identity.config.anchor))


def base(identity: Identity, network: View) -> KubePlan:
    """The files of /etc that are links into /run/hepto/etc, and the clock's service once there is a network for it."""
    files = [
        _etc("hostname", f"{identity.node}\n"),
        _etc("machine-id", f"{identity.machine_id}\n"),
        _etc("hosts", f"::1 localhost ip6-localhost ip6-loopback\n{identity.address} {identity.node}\n"),
    ]
    directories = [Directory(paths.ETC, 0o755)]
    services = {}
    if network.resolvers is not None:
        files.append(_etc("resolv.conf", resolv_conf(identity, network)))
    if network.interface and network.missing is None and not identity.contained:
        rendered = chrony.configuration(identity.config.ntp, identity.directory)
        files.append(File(chrony.CONFIGURATION, rendered))
        directories.append(Directory(chrony.DIRECTORY, 0o750))
        services[chrony.NAME] = chrony.service(rendered)
    return KubePlan(tuple(directories), tuple(files), (), services)


def resolv_conf(identity: Identity, network: View) -> str:
    """resolv.conf(5).

    With NAT64 the cluster DNS on this node comes first: it makes IPv6 addresses, which images are pulled from. Before
    it answers the kernel refuses for it at once, and the next one is asked.
    """
    lines = [f"search {' '.join(network.search)}"] if network.search else []
    if network.nat64 is not None:
        lines.append(f"{NAT64_MARK} {network.nat64}")
        if identity.runs_kubernetes and identity.config.role.has_pods:
            lines.append(f"nameserver {identity.address}")
    lines += [f"nameserver {resolver}" for resolver in network.resolvers or ()]
    return "".join(f"{line}\n" for line in lines)


def recall(identity: Identity, network: View, written: bytes | None) -> View:
    """The network with what is `written` in resolv.conf, as long as no router has said anything.

    So a restarted agent renders what runs already, and not something else for the second until a router answers.
    """
    words = [line.split() for line in (written or b"").decode(errors="replace").splitlines()]
    if not network.heard and network.nat64 is None:
        network = replace(network, nat64=_nat64(words))
    resolvers = tuple(line[1] for line in words if len(line) == 2 and line[0] == "nameserver")
    resolvers = tuple(resolver for resolver in resolvers if resolver != str(identity.address))
    if network.resolvers is not None or not resolvers:
        return network
    search = next((tuple(line[1:]) for line in words if line and line[0] == "search"), ())
    return replace(network, resolvers=resolvers, search=network.search or search)


def _nat64(words: list[list[str]]) -> IPv6Network | None:
    mark = NAT64_MARK.split()
    with contextlib.suppress(ValueError):
        return next((IPv6Network(line[-1]) for line in words if line[:-1] == mark), None)
    return None


def kube_parameters(
    identity: Identity, network: View, master: str, images_digest: str, memory: int | None
) -> kube.KubeParameters | None:
    """What Kubernetes on this node depends on; `master` is the node whose apiserver it uses. None: it does not run."""
    config = identity.config
    if not identity.runs_kubernetes:
        return None
    return kube.KubeParameters(
        plan=identity.plan,
        node=identity.node,
        master=config.role.has_control_plane,
        worker=config.role.has_pods,
        data=identity.directory,
        masters=(identity.plan.node(master),),
        resolvers=network.resolvers or (),
        search=network.search,
        nat64=network.nat64,
        mtu=mesh_interface(identity, network).mtu,
        cni=kube.Cni(config.cni),
        proxy=kube.Proxy(config.proxy),
        mirrors=tuple(kube.Mirror(mirror.host, mirror.url) for mirror in config.registry_mirrors),
        credentials=tuple(
            kube.Credential(login.host, login.user, login.password) for login in config.registry_credentials
        ),
        images_digest=images_digest,
        memory=memory,
    )


def _etc(name: str, text: str) -> File:
    return File(f"{paths.ETC}/{name}", text.encode())
