"""What a signer must not forget: who is enrolled, waits, is denied, and which grants are revoked. Pure, frozen values.

A change makes a new register, which is on the disk before the answer that follows from it is sent. Kept as JSON with a
schema number. Names are pinned to identities: only an operator's order un-pins one (trust.md section 2).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hepto.errors import UserError
from hepto.pki import revocations
from hepto.pki.fields import KEY_BYTES, fingerprint
from hepto.pki.grant import Grant
from hepto.pki.reasons import PkiError
from hepto.pki.revocations import Revocations, Revoked
from hepto.values import LABEL_NAME, BadValue, Role

SCHEMA: Final = 1
HOUR: Final = 3600
DAY: Final = 86400
MOST_NAMES_AN_HOUR: Final = 32
"""New names that the key alone lets in within an hour."""
MOST_PENDING: Final = 256
MOST_SUPERSEDED: Final = 16
"""Earlier grants of a node that are kept in mind; older ones are revoked."""

MOST_GRANTS_A_DAY: Final = MOST_SUPERSEDED
"""For one node: a new one goes with a new WireGuard key, and each that is dropped takes a place of the list."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A node that belongs to the cluster."""

    grant: Grant
    """The newest."""
    since: int
    """Unix seconds."""
    superseded: tuple[Revoked, ...] = ()
    """Its earlier grants that have not expired: they go when the node goes."""

    @property
    def serials(self) -> tuple[Revoked, ...]:
        """All its grants that may hold somewhere."""
        return (*self.superseded, Revoked(self.grant.serial, self.grant.not_after))

    def recent(self, unix: float) -> int:
        """How many of them were given within a day: a serial is the time in milliseconds, if clocks go forwards."""
        return sum(abs(unix - serial / 1000) < DAY for serial, _ in self.serials)


@dataclass(frozen=True, slots=True)
class Pending:
    """A node that waits for an operator."""

    name: str
    role: Role
    since: int


@dataclass(frozen=True)
class Register:
    """Everything. Mappings are never changed in place."""

    nodes: Mapping[str, Enrolled] = field(default_factory=dict)
    pending: Mapping[str, Pending] = field(default_factory=dict)
    """By fingerprint of the identity."""
    admitted: Mapping[str, str] = field(default_factory=dict)
    """Fingerprints that an operator lets in, each under one name, and have not come yet."""
    denied: frozenset[bytes] = frozenset()
    """Identities, for ever."""
    forgotten: frozenset[bytes] = frozenset()
    """Identities that had a name: the key alone does not let them in again, an operator does."""
    revoked: bytes = b""
    """The list as it is distributed (hepto/pki/revocations.py); nothing: none was made yet."""
    joined: tuple[int, ...] = ()
    """When the key alone let new names in: Unix seconds, of the last hour."""
    serial: int = 0
    """The last one of a grant."""

    @property
    def revocations(self) -> Revocations:
        """What `revoked` says."""
        return revocations.read(self.revoked) if self.revoked else Revocations()

    def next_serial(self, unix: float) -> int:
        """Above every serial before, and above what a lost register may have given out (trust.md section 2)."""
        return max(self.serial + 1, int(unix * 1000))

    def owner(self, identity: bytes) -> str | None:
        """The node that has this identity."""
        return next((name for name, node in self.nodes.items() if node.grant.identity == identity), None)

    def reserved(self, name: str) -> str | None:
        """The fingerprint for which an operator keeps `name`."""
        return next((identity for identity, kept in self.admitted.items() if kept == name), None)

    def recently_joined(self, unix: float) -> tuple[int, ...]:
        """Those of the last hour. A clock that was set back further frees them: better than refusing for years."""
        return tuple(when for when in self.joined if abs(unix - when) < HOUR)

    def recently_pending(self, unix: float) -> "Register":
        """Without those that have been waiting for more than a day."""
        recent = {key: item for key, item in self.pending.items() if abs(unix - item.since) < DAY}
        return replace(self, pending=recent)

    def with_node(self, name: str, node: Enrolled) -> "Register":
        """`name` is enrolled as `node`, and waits no more."""
        identity = fingerprint(node.grant.identity)
        return replace(
            self,
            nodes={**self.nodes, name: node},
            pending={key: value for key, value in self.pending.items() if key != identity},
            admitted={key: value for key, value in self.admitted.items() if key != identity},
            forgotten=self.forgotten - {node.grant.identity},
            serial=max(self.serial, node.grant.serial),
        )

    def without_node(self, name: str) -> "Register":
        """`name` is free, kept for nobody, and the identity that had it is forgotten."""
        identities = {node.grant.identity for key, node in self.nodes.items() if key == name}
        return replace(
            self,
            nodes={key: value for key, value in self.nodes.items() if key != name},
            admitted={key: value for key, value in self.admitted.items() if value != name},
            forgotten=self.forgotten | identities,
        )

    def with_pending(self, identity: str, pending: Pending) -> "Register":
        """The identity with this fingerprint waits."""
        return replace(self, pending={**self.pending, identity: pending})

    def with_admitted(self, identity: str, name: str) -> "Register":
        """An operator lets this fingerprint in as `name`; one fingerprint at a time for a name."""
        others = {key: value for key, value in self.admitted.items() if value != name}
        waiting = {key: value for key, value in self.pending.items() if key != identity}
        return replace(self, admitted={**others, identity: name}, pending=waiting)


def dump(register: Register) -> bytes:
    """As JSON."""
    value = {
        "schema": SCHEMA,
        "serial": register.serial,
        "nodes": {name: _dump_node(node) for name, node in sorted(register.nodes.items())},
        "pending": {
            key: {"name": item.name, "role": str(item.role), "since": item.since}
            for key, item in sorted(register.pending.items())
        },
        "admitted": dict(sorted(register.admitted.items())),
        "denied": sorted(identity.hex() for identity in register.denied),
        "forgotten": sorted(identity.hex() for identity in register.forgotten),
        "revoked": register.revoked.hex(),
        "joined": list(register.joined),
    }
    return json.dumps(value, indent=1).encode() + b"\n"


def load(data: bytes) -> Register:
    """The reverse of `dump`. Raises UserError for a later schema or a damaged file: a signer must not forget."""
    try:
        value = json.loads(data)
        if isinstance(value, dict) and _number(value["schema"]) > SCHEMA:
            raise UserError(
                f"the register of the cluster's nodes has schema {value['schema']}, of a later version of hepto",
                "start that version again; this one would forget whom it denies",
            )
        return _load(value)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, PkiError) as error:
        raise UserError(
            f"the register of the cluster's nodes is damaged ({type(error).__name__}: {error})",
            "restore pki/register.json from a backup",
        ) from None


def _dump_node(node: Enrolled) -> dict[str, Any]:
    grant = node.grant
    return {
        "role": str(grant.role),
        "identity": grant.identity.hex(),
        "wireguard": grant.wireguard.hex(),
        "serial": grant.serial,
        "not_before": grant.not_before,
        "not_after": grant.not_after,
        "since": node.since,
        "superseded": [list(entry) for entry in node.superseded],
    }


def _load(value: Any) -> Register:  # Any: JSON; what is not as it should be raises here and below
    register = Register(
        nodes={_name(name): _load_node(name, node) for name, node in value["nodes"].items()},
        pending={
            _fingerprint(key): Pending(_name(item["name"]), Role(item["role"]), _number(item["since"]))
            for key, item in value["pending"].items()
        },
        admitted={_fingerprint(key): _name(name) for key, name in value["admitted"].items()},
        denied=frozenset(_key(text) for text in value["denied"]),
        forgotten=frozenset(_key(text) for text in value.get("forgotten", ())),  # earlier versions kept none
        revoked=bytes.fromhex(value["revoked"]),
        joined=tuple(_number(when) for when in value["joined"]),
        serial=_number(value["serial"]),
    )
    if register.revoked:
        revocations.read(register.revoked)
    return register


def _load_node(name: str, value: Any) -> Enrolled:
    keys = (_key(value["identity"]), _key(value["wireguard"]))
    numbers = (_number(value["serial"]), _number(value["not_before"]), _number(value["not_after"]))
    superseded = tuple(_numbers(value["superseded"]))
    return Enrolled(Grant(name, Role(value["role"]), *keys, *numbers), _number(value["since"]), superseded)


def _numbers(value: Any) -> Iterator[Revoked]:
    for serial, not_after in value:
        yield Revoked(_number(serial), _number(not_after))


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("not a number")
    return value


def _name(value: str) -> str:
    try:
        return LABEL_NAME.parse(value)
    except BadValue as error:
        raise ValueError(f"a name is {error}") from None


def _key(text: str) -> bytes:
    key = bytes.fromhex(text)
    if len(key) != KEY_BYTES:
        raise ValueError("not a key of 32 bytes")
    return key


def _fingerprint(text: str) -> str:
    _key(text)
    return text
