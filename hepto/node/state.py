"""What a node remembers over a reboot: `<data>/<cluster>/<node>/state.json`. Pure; the agent does the reading.

Its presence says that this node belongs to a cluster. A file of a later schema is not touched: a rollback must not lose
what a newer version has put there.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from hepto.errors import UserError

SCHEMA = 1
LATEST = 2.0**40
"""Unix seconds; what is later is no time (NaN, a number that no float holds)."""


@dataclass(frozen=True, slots=True)
class State:
    clock: float | None = None
    """Unix time when this was saved, as far as it is agreed on: a floor for the next boot."""
    handshake: float | None = None
    """Unix time of the newest WireGuard handshake with the node's mesh key."""
    machine_id: str = ""
    schema: int = SCHEMA
    gossip: dict[str, Any] | None = None
    """What hepto.gossip.store makes and reads."""


def dump(state: State) -> bytes:
    """The file's content."""
    return json.dumps(asdict(state), indent=1).encode() + b"\n"


def load(data: bytes | None, path: str) -> State:
    """The state; an empty one when there is no file or its content is no state (writes are atomic: a disk fault).

    Raises UserError for a later schema.
    """
    value = _read(data)
    schema = value.get("schema", SCHEMA)
    if isinstance(schema, int) and schema > SCHEMA:
        raise UserError(
            f"{path} was written by a later version of hepto (schema {schema}, known: {SCHEMA})",
            "boot that version again, or start on an empty data directory",
        )
    machine_id, gossip = value.get("machine_id"), value.get("gossip")
    return State(
        _instant(value.get("clock")),
        _instant(value.get("handshake")),
        machine_id if isinstance(machine_id, str) else "",
        gossip=gossip if isinstance(gossip, dict) else None,
    )


def _instant(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < LATEST else None


def _read(data: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(data) if data is not None else {}
    except (ValueError, RecursionError):
        value = {}
    return value if isinstance(value, dict) else {}
