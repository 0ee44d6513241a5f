"""The certificate table: every certificate of a cluster, what is in it, who signs it and who may hold it.

The signer takes each field from here and from the enrolled `Subject`, never from a request (trust.md sections 3 and 4;
regressions to remember: CVE-2022-36103, CVE-2023-32187, CVE-2021-37219). Pure data; a change here is a change of trust.
"""
# ruff: noqa: E501  (one row of the table a line)

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from ipaddress import IPv6Address

from hepto.values import Role

LOOPBACK = IPv6Address("::1")
CLUSTER_DOMAIN = "cluster.local"

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
MINUTES = timedelta(minutes=20)
"""The shortest life of a leaf: client-go closes connections on a changed file only every 5 minutes."""
AUTHORITY_LIFETIME = timedelta(days=3652)
BACKDATE = timedelta(hours=1)
"""NotBefore lies so far back: clocks of members differ (talos#7369)."""


class Authority(Enum):
    """The three authorities of a cluster; masters only."""

    CLUSTER = "ca"
    ETCD = "etcd-ca"
    FRONT_PROXY = "front-proxy-ca"


class Usage(Enum):
    """Extended key usages."""

    CLIENT = "client"
    SERVER = "server"


class Holder(Enum):
    """Who may hold a certificate. MEMORY: no node in a file; the master's agent for minutes, or an operator."""

    MASTER = "master"
    WORKER = "worker"
    ANY = "any"
    MEMORY = "memory"


@dataclass(frozen=True)
class Subject:
    """An enrolled node: all that enters its certificates."""

    cluster: str
    node: str
    address: IPv6Address
    master: bool
    worker: bool
    kubernetes_service: IPv6Address
    """ClusterIP of the apiserver."""
    api_names: tuple[str, ...] = ()
    """Further host names for the apiserver and the node API, from the configuration."""

    @property
    def role(self) -> Role:
        """The role that says the same as `master` and `worker`."""
        if not self.master:
            return Role.NODE
        return Role.FULL if self.worker else Role.MASTER

    @property
    def uri(self) -> str:
        """What a peer insists on when it wants a master (trust.md section 4)."""
        return f"hepto:{'master' if self.master else 'node'}:{self.node}"


@dataclass(frozen=True)
class Names:
    """The subject alternative names of one certificate."""

    dns: tuple[str, ...] = ()
    addresses: tuple[IPv6Address, ...] = ()
    uris: tuple[str, ...] = ()


def _no_names(_: Subject) -> Names:
    return Names()


def _loopback(_: Subject) -> Names:
    return Names(addresses=(LOOPBACK,))


def _node(subject: Subject) -> Names:
    return Names((subject.node,), (subject.address,), (subject.uri,))


def _node_api(subject: Subject) -> Names:
    return Names(_once(subject.node, *subject.api_names), (subject.address,), (subject.uri,))


def _etcd(subject: Subject) -> Names:
    return Names(_once(subject.node, "localhost"), (subject.address, LOOPBACK))


def _apiserver(subject: Subject) -> Names:
    kubernetes = (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
    )
    return Names(
        _once(*kubernetes, subject.node, *subject.api_names),
        (subject.address, subject.kubernetes_service),
        (subject.uri,),
    )


def _once(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Profile:
    """One row. `{node}` in the common name is the node's name."""

    name: str
    common_name: str
    organisation: str
    names: Callable[[Subject], Names]
    usages: tuple[Usage, ...]
    lifetime: timedelta
    authority: Authority
    holder: Holder

    def held_by(self, subject: Subject) -> bool:
        """True if this node keeps such a certificate in a file."""
        match self.holder:
            case Holder.ANY:
                return True
            case Holder.MASTER:
                return subject.master
            case Holder.WORKER:
                return subject.worker
            case Holder.MEMORY:
                return False


CLUSTER, ETCD, FRONT = Authority.CLUSTER, Authority.ETCD, Authority.FRONT_PROXY
MASTER, WORKER, ANY = Holder.MASTER, Holder.WORKER, Holder.ANY
CLIENT, SERVER, BOTH = (Usage.CLIENT,), (Usage.SERVER,), (Usage.CLIENT, Usage.SERVER)

# fmt: off
PROFILES = (
    #       name                        common name                        organisation            names       usages  life     signed by who
    Profile("apiserver",                "kube-apiserver",                  "",                     _apiserver, SERVER, WEEK,    CLUSTER, MASTER),
    Profile("apiserver-kubelet-client", "hepto:apiserver:{node}",          "hepto:apiservers",     _no_names,  CLIENT, WEEK,    CLUSTER, MASTER),
    Profile("apiserver-etcd-client",    "hepto:apiserver:{node}",          "",                     _no_names,  CLIENT, WEEK,    ETCD,    MASTER),
    # etcd's gRPC gateway uses the server's certificate as its client's, and a peer is both.
    Profile("etcd-server",              "hepto:etcd:{node}",               "",                     _etcd,      BOTH,   WEEK,    ETCD,    MASTER),
    Profile("etcd-peer",                "hepto:etcd:{node}",               "",                     _etcd,      BOTH,   WEEK,    ETCD,    MASTER),
    Profile("front-proxy-client",       "front-proxy-client",              "",                     _no_names,  CLIENT, WEEK,    FRONT,   MASTER),
    # These two also serve /healthz and metrics on ::1 with it, so that probes verify whom they ask.
    Profile("controller-manager",       "system:kube-controller-manager",  "",                     _loopback,  BOTH,   WEEK,    CLUSTER, MASTER),
    Profile("scheduler",                "system:kube-scheduler",           "",                     _loopback,  BOTH,   WEEK,    CLUSTER, MASTER),
    Profile("admin",                    "hepto:admin:{node}",              "",                     _no_names,  CLIENT, WEEK,    CLUSTER, MASTER),
    Profile("bootstrap",                "hepto:bootstrap:{node}",          "system:masters",       _no_names,  CLIENT, MINUTES, CLUSTER, Holder.MEMORY),
    # {node} is the fingerprint of the operator's key; bound to cluster-admin one by one (trust.md section 6).
    Profile("operator",                 "hepto:operator:{node}",           "",                     _no_names,  CLIENT, DAY,     CLUSTER, Holder.MEMORY),
    Profile("node-api",                 "hepto:node:{node}",               "",                     _node_api,  SERVER, DAY,     CLUSTER, ANY),
    Profile("kubelet-client",           "system:node:{node}",              "system:nodes",         _no_names,  CLIENT, DAY,     CLUSTER, WORKER),
    Profile("kubelet-server",           "system:node:{node}",              "system:nodes",         _node,      SERVER, DAY,     CLUSTER, WORKER),
    Profile("kube-proxy",               "hepto:kube-proxy:{node}",         "hepto:kube-proxies",   _no_names,  CLIENT, DAY,     CLUSTER, WORKER),
    Profile("coredns",                  "hepto:coredns:{node}",            "hepto:coredns",        _no_names,  CLIENT, DAY,     CLUSTER, WORKER),
)
# fmt: on

BY_NAME = {profile.name: profile for profile in PROFILES}


def held_by(subject: Subject) -> tuple[Profile, ...]:
    """The certificates that this node keeps in files."""
    return tuple(profile for profile in PROFILES if profile.held_by(subject))
