"""Values that the node's tests share."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from hepto.config import Config, resolve
from hepto.given import Given, Source, SourceKind
from hepto.net.model import View
from hepto.node.desired import Identity
from hepto.node.facts import Facts
from init.contract.status import BootStatus, PhaseState, PhaseStatus, Reason, ServiceStatus, State, Wait

ADDRESS = IPv6Address("2001:db8:1::5")
NETWORK = View(
    guarded=("eth0",),
    interface="eth0",
    mtu=1500,
    addresses=(ADDRESS,),
    gateways=(IPv6Address("fe80::1"),),
    resolvers=("fe80::53%eth0", "2001:db8::53"),
    search=("lab.internal",),
)
DONE = BootStatus(tuple(PhaseStatus(name, PhaseState.DONE) for name in ("mounts", "credentials", "data")), data="disk")


def config(**values: str) -> Config:
    """A configuration from what a kernel command line would give."""
    source = Source(SourceKind.CMDLINE)
    words = {"cluster": "demo", "name": "one", "key": "00" * 32, **{k.replace("_", "-"): v for k, v in values.items()}}
    return resolve([Given(name, value.encode(), source) for name, value in words.items()]).require()


def identity(directory: Path | str = "/var/lib/hepto/demo/one", **values: str) -> Identity:
    """Node `one` of cluster `demo`."""
    return Identity(config(**values), "one", str(directory), "0" * 32)


def service(state: State, waits_for: str = "", **fields: Any) -> ServiceStatus:
    """A service's status; `waits_for` is another service."""
    wait = Wait(Reason.SERVICE, waits_for, 1.0) if waits_for else None
    return replace(ServiceStatus(state, since=2.0, waits_for=wait), **fields)


def running(services: Mapping[str, ServiceStatus] | None = None) -> Facts:
    """A node on which everything is up."""
    found = {"etcd": service(State.READY)} if services is None else dict(services)
    who = identity()
    return Facts(
        started=0.0,
        boot=DONE,
        services=found,
        config=who.config,
        node=who.node,
        address=who.address,
        directory=who.directory,
        network=NETWORK,
        planned=dict.fromkeys(found, 1.0),
        mesh=True,
    )
