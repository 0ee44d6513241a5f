"""Who this node is: configuration as the machine gives it, name, directory, what it remembers."""

from pathlib import Path

from hepto import naming, sources
from hepto.config import Config, Resolution, resolve
from hepto.edge import files, netlink, route
from hepto.node import state
from hepto.node.desired import Identity, machine_id
from init.contract import durable

STATE = "state.json"
WRITTEN_BELOW = ("identity", "pki")
"""Where the agent, and nobody else, writes."""
UUID = "/sys/class/dmi/id/product_uuid"


def configuration(root: Path = Path("/")) -> Resolution:
    """The configuration; a node that belongs to a cluster already is told of unknown keys, not stopped by them."""
    givens = sources.read_machine(root)
    lenient = resolve(givens, joined=True)
    joined = lenient.config is not None and bool(known_nodes(lenient.config))
    return lenient if joined else resolve(givens)


def identify(config: Config) -> tuple[Identity, state.State]:
    """This node. Makes its directory, removes what a power cut left there, reads what is remembered.

    Raises UserError, OSError.
    """
    name = naming.node_name(config, machine_uuid(), hardware_address(), known_nodes(config))
    directory = f"{config.data}/{config.cluster}/{name}"
    for path in (f"{config.data}/{config.cluster}", directory):
        durable.make_directory(path, exact=True)
    for path in (directory, *(f"{directory}/{below}" for below in WRITTEN_BELOW)):
        durable.sweep(path)
    remembered = state.load(files.read(f"{directory}/{STATE}"), f"{directory}/{STATE}")
    known = remembered.machine_id or machine_id(config.cluster, name)
    return Identity(config, name, directory, known, sources.is_contained()), remembered


def known_nodes(config: Config) -> tuple[str, ...]:
    """Names of the nodes that this data directory holds."""
    return tuple(sorted(path.parent.name for path in (config.data / config.cluster).glob(f"*/{STATE}")))


def machine_uuid() -> str | None:
    """SMBIOS's, of this machine."""
    data = files.read(UUID)
    return data.decode(errors="replace").strip() if data else None


def hardware_address() -> str | None:
    """The first permanent one."""
    with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
        for link in route.links(kernel):
            if link.ethernet and not link.kind and len(link.hardware) == 6:
                return link.hardware.hex(":")
    return None
