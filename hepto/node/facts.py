"""Everything that the agent knows, as one frozen value; None is: not known yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv6Address

from hepto.config import Config, Mistake
from hepto.mesh.model import View
from hepto.net.model import View as NetworkView
from init.contract.status import BootStatus, Reason, ServiceStatus


class Clock(StrEnum):
    """How far the node's time is to be trusted; `hepto status --json` shows the word."""

    UNKNOWN = "unknown"
    """It has not been looked at yet."""
    FLOOR = "floor"
    """It is later than the image's build and what was saved; more is not known, and no cluster is made."""
    PLAUSIBLE = "plausible"
    """The machine's own clock shows a time that can be: good enough to make a cluster."""
    PEERS = "peers"
    """A master or several peers have told it."""
    SYNCHRONISED = "synchronised"
    """NTP has set it."""


@dataclass(frozen=True)
class Problem:
    """Something that the agent itself waits for: a certificate, the clock, its own failed step."""

    reason: Reason
    subject: str
    since: float
    what: str
    hint: str = ""


@dataclass(frozen=True)
class Ready:
    """This node's Node object in Kubernetes."""

    ready: bool
    since: float
    what: str = ""


@dataclass(frozen=True)
class Backup:
    """One that is on this master's disk."""

    path: str
    size: int
    made: int
    """Unix seconds."""
    encrypted: bool


@dataclass(frozen=True)
class Facts:
    started: float
    boot: BootStatus | None = None
    services: Mapping[str, ServiceStatus] | None = None
    """What PID 1 says of each service; None until it has said all."""
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[str, ...] = ()
    config: Config | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where the value of each option comes from."""
    node: str | None = None
    address: IPv6Address | None = None
    directory: str | None = None
    """`<data>/<cluster>/<node>`."""
    network: NetworkView | None = None
    mesh: bool = False
    problems: Mapping[str, Problem] = field(default_factory=dict)
    """By the part that has it; gone when it is solved."""
    planned: Mapping[str, float] | None = None
    """The services whose files are written, and since when; None before."""
    served: bool = False
    """The master's apiserver has answered since this agent began; only looked at on nodes that are no master."""
    bootstrapped: bool = False
    """Bootstrap objects are applied."""
    node_object: Ready | None = None
    probes: Mapping[str, str] = field(default_factory=dict)
    """What the last probe of a service that is not ready said."""
    clock: Clock = Clock.UNKNOWN
    backup: Backup | None = None
    """The newest; None before there is any, and on nodes that are no master."""
    no_backup: str = ""
    """Why the last one could not be taken."""
    copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The names of this master's backups that other nodes have said to have, by node."""
    copies_here: tuple[str, ...] = ()
    """The names of copies of a master's backups on this node, the oldest first."""
    no_copy: str = ""
    """Why this node's disk did not take the last one."""
    fingerprint: str = ""
    """SHA-256 of the cluster's CA."""
    workers: frozenset[str] = frozenset()
    """Nodes that this master has enrolled to run pods, itself not among them."""
    peers: View = field(default_factory=View)
    """The mesh as it is."""
