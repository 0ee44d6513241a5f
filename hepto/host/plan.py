"""What a node on this host is to be, as a frozen value. It travels to the keeper over a pipe, for it holds the key."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from hepto import options
from hepto.given import Given, SourceKind

INTERFACE: Final = "eth0"
"""What the node's interface is called inside."""
NOT_PASSED: Final = ("data", "iface", "name")
"""Options that are about the host, or are decided here: the node is told what they are in its container."""
SOURCES: Final = {SourceKind.FLAG: "flag", SourceKind.ENVIRONMENT: "environment"}
_OURS: Final = "flag"
YES: Final = b"yes"

Credentials = Mapping[str, Mapping[str, bytes]]
"""By source and name, as files below /run/credentials."""


@dataclass(frozen=True)
class Plan:
    """One node. `credentials` are the node's only configuration."""

    name: str
    cluster: str
    role: str
    iface: str
    """Of the host."""
    image: str
    """The file root.erofs."""
    data: str
    """The node's own directory on the host, `<data>/<cluster>/<node>`."""
    kubernetes: bool = True
    detach: bool = False
    """It outlives the command that has started it."""
    credentials: Credentials = field(default_factory=dict, repr=False)

    @property
    def serves_api(self) -> bool:
        """An apiserver runs here."""
        return self.kubernetes and self.role in ("full", "master")

    @property
    def hardware_address(self) -> str:
        """A locally administered MAC that follows from the names: the node keeps its address over a restart."""
        digest = hashlib.sha256(f"hepto host 1\0{self.cluster}\0{self.name}".encode()).digest()
        return bytes((digest[0] & 0xFC | 0x02, *digest[1:6])).hex(":")


def credentials(givens: Iterable[Given], name: str) -> dict[str, dict[str, bytes]]:
    """What the node is given: of each option what is in force here, as it was written, by where it came from."""
    found: dict[str, dict[str, bytes]] = {source: {} for source in SOURCES.values()}
    chosen: dict[str, Given] = {}
    for given in givens:
        option = options.BY_NAME.get(options.normalise(given.name))
        if option is None or not option.available or option.name in NOT_PASSED:
            continue
        before = chosen.get(option.name)
        if before is None or given.source.kind <= before.source.kind:
            chosen[option.name] = given
    for option_name, given in chosen.items():
        found[SOURCES[given.source.kind]][options.PREFIX + option_name] = YES if given.value is None else given.value
    found[_OURS] |= {f"{options.PREFIX}name": name.encode(), f"{options.PREFIX}iface": INTERFACE.encode()}
    return found


def dump(plan: Plan) -> bytes:
    """One line of JSON."""
    value = asdict(plan)
    value["credentials"] = {
        source: {name: base64.b64encode(data).decode() for name, data in files.items()}
        for source, files in plan.credentials.items()
    }
    return json.dumps(value).encode() + b"\n"


def load(line: bytes) -> Plan:
    """The reverse of `dump`. Raises ValueError."""
    try:
        value = json.loads(line)
        files = value.pop("credentials")
        decoded = {
            source: {name: base64.b64decode(data) for name, data in found.items()} for source, found in files.items()
        }
        return Plan(**value, credentials=decoded)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a plan: {error!r}") from None
