"""serf's application, as far as a member needs it to live among serf agents (`gossip-compat=serf`). Pure.

What serf adds to membership travels in user messages, in the meta and in the push/pull (memberlist-wire.md section 22):

- the meta is a map of tags; ours is in the tag `hepto`, so that members of ours know each other;
- a member's *status time*, a Lamport time, orders intents to join and to leave; only who has announced that it leaves
  is `left` to serf, anybody else that goes has `failed`;
- user events and queries are passed on once, as every member of a serf cluster does, and otherwise ignored: no query is
  answered, so that `serf keys` and `serf reachability` list us as silent (keys are changed on our side by ourselves);
- the state in a push/pull is serf's record with one key more, `Hepto`, which serf skips.
"""

import base64
import binascii
from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final

import msgpack

from hepto.gossip.application import Reaction
from hepto.gossip.extension import for_everybody
from hepto.gossip.messages import Alive, Status
from hepto.gossip.model import Change, Claim
from hepto.gossip.plain import Meta, Verifier, decode_meta, has_moved, trust_nobody
from hepto.gossip.reasons import GossipError, Reason

VERSIONS: Final = bytes((1, 5, 2, 2, 5, 5))
"""serf's protocol 2 to 5, speaking 5 as its agent does."""
TAGS_BEGIN: Final = b"\xff"
OUR_TAG: Final = b"hepto"
SLOTS: Final = 512
"""How many Lamport times back an event or a query is new to somebody; serf's own number."""
MOST_IN_SLOT: Final = 64
MOST_INTENTS: Final = 16384
"""Names whose status time is kept; the oldest goes first."""
MOST_LISTED: Final = 4096
"""Entries of one list; msgpack takes memory for what a list announces, at each of its levels."""
_LATEST: Final = 2**63
"""No honest clock gets there; one that did could not be passed on as 64 bits."""
_NO_REBROADCAST: Final = 2
_REMEMBERED_METAS = 4096

_Record = dict[bytes, Any]  # Any: what msgpack has made of a stranger's bytes; _field checks each that is used


class Kind(IntEnum):
    """The first byte of a user message of serf's."""

    LEAVE = 0
    JOIN = 1
    PUSH_PULL = 2
    USER_EVENT = 3
    QUERY = 4
    QUERY_RESPONSE = 5
    CONFLICT_RESPONSE = 6
    KEY_REQUEST = 7
    KEY_RESPONSE = 8
    RELAY = 9


def encode_tags(tags: Mapping[bytes, bytes], meta: bytes = b"") -> bytes:
    """The meta of a member among serf agents: tags, and our own meta in one of them."""
    ours = {OUR_TAG: base64.b64encode(meta).rstrip(b"=")} if meta else {}
    return TAGS_BEGIN + _pack({**tags, **ours})


@lru_cache(_REMEMBERED_METAS)
def decode_ours(data: bytes) -> Meta | None:
    """Our own meta out of serf's; None for who is not ours."""
    if not data.startswith(TAGS_BEGIN):
        return None
    try:
        text = _field(_unpack(data[1:]), OUR_TAG, bytes)
        return decode_meta(base64.b64decode(text + b"=" * (-len(text) % 4), validate=True))
    except (GossipError, binascii.Error):
        return None


class _Clock:
    """A Lamport clock."""

    def __init__(self) -> None:
        self.time = 1

    def witness(self, time: int) -> None:
        self.time = max(self.time, time + 1)


class _Recent:
    """What was passed on already, by Lamport time."""

    def __init__(self) -> None:
        self.clock = _Clock()
        self._slots: dict[int, set[bytes]] = {}

    def is_new(self, time: int, what: bytes) -> bool:
        self.clock.witness(time)
        if time + SLOTS < self.clock.time:
            return False
        slot = self._slots.setdefault(time, set())
        if what in slot or len(slot) >= MOST_IN_SLOT:
            return False
        slot.add(what)
        if len(self._slots) > 2 * SLOTS:
            self._slots = {at: slot for at, slot in self._slots.items() if at + SLOTS >= self.clock.time}
        return True


class Serf:
    """The `Application` of a member named `name` in a serf cluster."""

    versions = VERSIONS

    def __init__(self, name: bytes, verify: Verifier = trust_nobody):
        self._name = name
        self._verify = verify
        self._clock = _Clock()
        self._status_times: dict[bytes, int] = {}
        self._events = _Recent()
        self._queries = _Recent()
        self._leaving = False
        self._shared = b""
        self._heard = b""

    def is_ours(self, meta: bytes) -> bool:
        """Application.is_ours."""
        return decode_ours(meta) is not None

    def may_move(self, known: Claim, alive: Alive) -> bool:
        """Application.may_move."""
        return has_moved(decode_ours(known.meta), decode_ours(alive.meta), alive, self._verify)

    def shared(self, members: tuple[tuple[bytes, Status], ...]) -> bytes:
        """Application.shared: serf's record, with our state as one key more."""
        times = self._status_times
        record = {
            b"LTime": self._clock.time,
            b"StatusLTimes": {name: times[name] for name, _ in members if name in times},
            b"LeftMembers": [name for name, status in members if status is Status.LEFT],
            b"EventLTime": self._events.clock.time,
            b"Events": [],
            b"QueryLTime": self._queries.clock.time,
        }
        if self._shared:
            record[b"Hepto"] = self._shared
        return bytes((Kind.PUSH_PULL,)) + _pack(record)

    def merge(self, state: bytes) -> Reaction:
        """Application.merge: take over clocks and status times; what is ours is handed on."""
        if state[:1] != bytes((Kind.PUSH_PULL,)):
            raise GossipError(Reason.BAD_EXTENSION, "not serf's state")
        record = _unpack(state[1:])
        clocks = [_time(record, key) for key in (b"LTime", b"EventLTime", b"QueryLTime")]
        times = _field(record, b"StatusLTimes", dict)
        left = _field(record, b"LeftMembers", list)
        ours = _field(record, b"Hepto", bytes)
        named = [(name, _time(times, name)) for name in (*times, *left) if isinstance(name, bytes)]
        for clock, time in zip((self._clock, self._events.clock, self._queries.clock), clocks, strict=True):
            clock.witness(time - 1)  # what is told is the next time to be used, not one that was
        for name, time in named:
            self._is_news(name, time)
        # Who says that we have left has missed our return.
        answer = () if self._leaving or self._name not in left else (self._intent(Kind.JOIN),)
        if ours in (b"", self._shared, self._heard):
            return Reaction(answer)
        self._heard = ours
        return Reaction(answer, (ours,))

    def message(self, data: bytes) -> Reaction:
        """Application.message: what is new to this cluster is passed on, as its other members do."""
        if data and not for_everybody(data):
            return Reaction(received=(data,))  # ours: who can verify it passes it on
        kind, record = data[:1], data[1:]
        if kind not in _MESSAGES:
            raise GossipError(Reason.BAD_EXTENSION, "not a message of serf's")
        match Kind(kind[0]):
            case Kind.JOIN | Kind.LEAVE as intent:
                return self._take_intent(intent, _unpack(record), data)
            case Kind.USER_EVENT:
                new = self._events.is_new(_time(_unpack(record), b"LTime"), data)
            case Kind.QUERY:
                query = _unpack(record)
                new = self._queries.is_new(_time(query, b"LTime"), data)
                new = new and not _field(query, b"Flags", int) & _NO_REBROADCAST
            case _:
                new = False  # for who has asked; we ask nothing
        return Reaction((data,)) if new else Reaction()

    def changed(self, change: Change, claim: Claim) -> Reaction:
        """Application.changed."""
        if change is Change.FORGOTTEN:
            self._status_times.pop(claim.name, None)
        return Reaction()

    def share(self, data: bytes) -> None:
        """Application.share."""
        self._shared = data

    def farewell(self) -> tuple[bytes, ...]:
        """The intent to leave: who goes without it has failed, to serf."""
        self._leaving = True
        return (self._intent(Kind.LEAVE),)

    def _intent(self, kind: Kind) -> bytes:
        """Our own, newer than any that is known."""
        time = self._clock.time
        self._clock.witness(time)
        self._status_times[self._name] = time
        prune = {b"Prune": False} if kind is Kind.LEAVE else {}
        return bytes((kind,)) + _pack({b"LTime": time, b"Node": self._name, **prune})

    def _take_intent(self, kind: Kind, record: _Record, data: bytes) -> Reaction:
        time, node = _time(record, b"LTime"), _field(record, b"Node", bytes)
        self._clock.witness(time)
        if not self._is_news(node, time):
            return Reaction()
        if kind is Kind.LEAVE and node == self._name and not self._leaving:
            return Reaction((self._intent(Kind.JOIN),))
        return Reaction((data,))

    def _is_news(self, node: bytes, time: int) -> bool:
        if time <= self._status_times.get(node, 0):
            return False
        self._status_times.pop(node, None)  # so that the dict's order is that of age
        self._status_times[node] = time
        if len(self._status_times) > MOST_INTENTS:
            del self._status_times[next(iter(self._status_times))]
        return True


_MESSAGES: Final = frozenset(bytes((kind,)) for kind in Kind if kind is not Kind.PUSH_PULL)


def _pack(value: object) -> bytes:
    encoded: bytes = msgpack.packb(value, use_bin_type=False)
    return encoded


def _unpack(data: bytes) -> _Record:
    try:
        value = msgpack.unpackb(data, raw=True, max_array_len=MOST_LISTED)
    except msgpack.ExtraData as error:  # what follows a record is nobody's
        value = error.unpacked
    except (ValueError, TypeError, RecursionError) as error:
        raise GossipError(Reason.MSGPACK_INVALID, str(error)) from None
    if not isinstance(value, dict):
        raise GossipError(Reason.MSGPACK_TYPE, "not a map")
    return value


def _field(record: _Record, key: bytes, kind: type) -> Any:
    """The field, or the kind's zero value when it is missing or nil."""
    value = record.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise GossipError(Reason.MSGPACK_TYPE, key.decode(errors="replace"))
    return value


def _time(record: _Record, key: bytes) -> int:
    value: int = _field(record, key, int)
    if not 0 <= value < _LATEST:
        raise GossipError(Reason.MSGPACK_TYPE, "time out of range")
    return value
