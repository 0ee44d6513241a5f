"""Who may belong, and under which name: the signer's rules as functions from register to register (trust.md, 2 and 3).

Pure. `join` and `renew` are what nodes ask for, `admit`, `forget`, `replace` and `revoke` what operators order. Nodes
are refused with PkiError, operators with UserError; the register that was given is never changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives import hashes

from hepto.address import AddressPlan
from hepto.errors import UserError
from hepto.pki import grant, register, revocations
from hepto.pki.fields import fingerprint
from hepto.pki.grant import Grant
from hepto.pki.issue import Issuer
from hepto.pki.join import Request
from hepto.pki.profiles import BACKDATE
from hepto.pki.reasons import PkiError, Reason
from hepto.pki.register import Enrolled, Pending, Register
from hepto.pki.revocations import Revoked

RESERVED_NAMES: Final = ("kubernetes", "localhost")
"""Names of the apiserver and etcd, which a node of that name would have in its certificates."""
RESERVED: Final = revocations.MOST_ENTRIES // 2
"""Places of the list that only operators fill: no node can keep another from being revoked."""


@dataclass(frozen=True)
class Facts:
    """What the rules depend on besides register and request."""

    master: str
    """Our own name."""
    plan: AddressPlan
    issuer: Issuer
    admit_by_key: bool
    api_names: tuple[str, ...] = ()
    """Further names of the apiserver."""

    @property
    def authority(self) -> bytes:
        """The CA's fingerprint, 32 bytes."""
        return self.issuer.certificate.fingerprint(hashes.SHA256())


@dataclass(frozen=True)
class Decision:
    """What becomes of a request."""

    register: Register
    """The new one, or the same."""
    pending: str | None = None
    """The fingerprint that an operator has to admit first; None: the node is enrolled."""


def join(before: Register, request: Request, facts: Facts, now: datetime) -> Decision:
    """A node wants in. The same node may ask again: its answer may have been lost."""
    _refuse_denied(before, request)
    if request.name in (*RESERVED_NAMES, *facts.api_names):
        raise PkiError(Reason.BAD_NAME, f"{request.name} is a name of the apiserver, which no node may pose as")
    if request.role.has_control_plane:
        raise PkiError(
            Reason.SECOND_MASTER,
            f"the cluster has its master, {facts.master}, and cannot have a second one yet; start with hepto.role=node",
        )
    known = before.nodes.get(request.name)
    if known is not None:
        _refuse_other_identity(known, request)
        return Decision(_granted(before, request, facts, now))
    _refuse_reserved(before, request)
    _refuse_duplicates(before, request, facts)
    identity, unix = fingerprint(request.identity), now.timestamp()
    if before.admitted.get(identity) == request.name:
        return Decision(_granted(before, request, facts, now))
    if not facts.admit_by_key or request.identity in before.forgotten:
        return Decision(_with_pending(before, identity, request, unix), identity)
    joined = before.recently_joined(unix)
    if len(joined) >= register.MOST_NAMES_AN_HOUR:
        raise PkiError(
            Reason.TOO_MANY_NAMES,
            f"{len(joined)} new nodes came within the hour; wait, or let an operator name it: "
            f"hepto node replace {request.name} {identity}",
        )
    return Decision(_granted(replace(before, joined=(*joined, int(unix))), request, facts, now))


def renew(before: Register, request: Request, facts: Facts, now: datetime) -> Decision:
    """A node that belongs wants news. However old its grant is: only operators end a membership."""
    _refuse_denied(before, request)
    known = before.nodes.get(request.name)
    if known is None:
        raise PkiError(Reason.NOT_ENROLLED, f"{request.name} was forgotten, or never belonged; it has to join again")
    _refuse_other_identity(known, request)
    return Decision(_granted(before, request, facts, now))


def enrol_master(before: Register, request: Request, facts: Facts, now: datetime) -> Register:
    """The master itself, which nobody has to let in. Raises UserError if its name is pinned to another identity."""
    known = before.nodes.get(request.name)
    if known is not None and (known.grant.identity, known.grant.role) != (request.identity, request.role):
        raise UserError(
            f"{request.name} is pinned to another identity or role ({known.grant.role}) in the cluster's own register",
            "restore identity/identity.pem from a backup, or start on an empty data directory to make another cluster",
        )
    try:
        return _granted(before, request, facts, now)
    except PkiError as error:
        raise UserError(
            f"the master {request.name} can give itself no grant ({error})",
            "remove identity/wireguard.key from its data directory: it makes another key",
        ) from None


def admit(before: Register, identity: str) -> Register:
    """Let a waiting node in, by the fingerprint of its identity, when it asks next."""
    waiting = before.pending.get(identity)
    if waiting is None:
        raise UserError(f"no node with the fingerprint {identity} waits", "see who does with `hepto node list`")
    return before.with_admitted(identity, waiting.name)


def forget(before: Register, name: str, facts: Facts, now: datetime) -> Register:
    """Free a name. The grants of who had it are revoked, so that the next one finds the name's address free.

    Who had it comes back only if an operator admits it: it asks at once, and would undo the order. A name that is kept
    for a node that has not come yet is free again, too.
    """
    if name not in before.nodes and before.reserved(name) is not None:
        return before.without_node(name)
    return _removed(before, name, facts, now)


def replace_node(before: Register, name: str, identity: str, facts: Facts, now: datetime) -> Register:
    """Free a name, if it is taken, for the node whose identity has this fingerprint, and let that one in."""
    if len(identity) != 64 or not set(identity) <= set("0123456789abcdef"):
        raise UserError(f"{identity} is no fingerprint", "it is 64 hex digits, which the new node's console shows")
    if any(fingerprint(denied) == identity for denied in before.denied):
        raise UserError("this identity was revoked", "start the node with an empty data directory: it makes another")
    freed = _removed(before, name, facts, now) if name in before.nodes else before
    return freed.with_admitted(identity, name)


def revoke(before: Register, name: str, facts: Facts, now: datetime) -> Register:
    """Forget `name`, and never let its identity in again. The caller makes a new gossip key, too."""
    removed = _removed(before, name, facts, now)
    return replace(removed, denied=removed.denied | {before.nodes[name].grant.identity})


def _removed(before: Register, name: str, facts: Facts, now: datetime) -> Register:
    known = before.nodes.get(name)
    if known is None:
        raise UserError(f"there is no node {name} in the cluster", "see `hepto node list`")
    if name == facts.master:
        raise UserError(f"{name} is the master that was asked", "the cluster is nothing without it")
    return revoke_serials(before.without_node(name), known.serials, facts, now)


def revoke_serials(before: Register, serials: Iterable[Revoked], facts: Facts, now: datetime) -> Register:
    """A newer list with these grants in it, and without those that have expired."""
    unix = now.timestamp()
    known = before.revocations
    version = max(known.version + 1, int(unix * 1000))
    newer = known.prune(unix).adding((entry for entry in serials if entry.not_after >= unix), version)
    if len(newer.entries) > revocations.MOST_ENTRIES:
        raise UserError(
            f"the list of revoked grants is full ({revocations.MOST_ENTRIES})", "entries go when their year is over"
        )
    return replace(before, revoked=revocations.issue(newer, facts.authority, facts.issuer.key))


def _granted(before: Register, request: Request, facts: Facts, now: datetime) -> Register:
    """With a grant for what was asked: the one that holds, as long as it is young and for the same WireGuard key."""
    known, unix = before.nodes.get(request.name), now.timestamp()
    for name, node in before.nodes.items():
        if name != request.name and node.grant.wireguard == request.wireguard:
            raise PkiError(
                Reason.WIREGUARD_KEY_TAKEN, f"{name} has this WireGuard key; copies of a disk need keys of their own"
            )
    if not before.revoked:
        before = revoke_serials(before, (), facts, now)
    if known is not None and known.grant.wireguard == request.wireguard and not known.grant.due_at(unix):
        return before
    certificate = facts.issuer.certificate
    own = request.name == facts.master  # what nodes have used up is no reason to do without a master
    if known is not None and not own and known.recent(unix) >= register.MOST_GRANTS_A_DAY:
        raise PkiError(
            Reason.TOO_MANY_GRANTS,
            f"{request.name} had {known.recent(unix)} grants within a day; wait, or let an operator begin anew: "
            f"hepto node replace {request.name} {fingerprint(request.identity)}",
        )
    fresh = Grant(
        node=request.name,
        role=request.role if known is None else known.grant.role,
        identity=request.identity,
        wireguard=request.wireguard,
        serial=before.next_serial(unix),
        not_before=int(max((now - BACKDATE).timestamp(), certificate.not_valid_before_utc.timestamp())),
        not_after=int(min(unix + grant.LIFETIME, certificate.not_valid_after_utc.timestamp())),
    )
    if known is None:
        return before.with_node(request.name, Enrolled(fresh, int(unix)))
    earlier = tuple(entry for entry in known.serials if entry.not_after >= unix)
    dropped = earlier[: max(0, len(earlier) - register.MOST_SUPERSEDED)]
    if dropped:
        if not own and len(before.revocations.prune(unix).entries) + len(dropped) > RESERVED:
            raise PkiError(Reason.TOO_MANY_GRANTS, "too many grants were replaced within a year")
        before = revoke_serials(before, dropped, facts, now)
    return before.with_node(request.name, Enrolled(fresh, known.since, earlier[len(dropped) :]))


def _with_pending(before: Register, identity: str, request: Request, unix: float) -> Register:
    waiting = before.pending.get(identity)
    if waiting is not None and (waiting.name, waiting.role) == (request.name, request.role):
        return before
    recent = before.recently_pending(unix)  # who still waits asks again, and is back at once
    if waiting is None and len(recent.pending) >= register.MOST_PENDING:
        raise PkiError(
            Reason.TOO_MANY_PENDING, f"{len(recent.pending)} nodes wait for an operator already: see `hepto node list`"
        )
    return recent.with_pending(identity, Pending(request.name, request.role, int(unix)))


def _refuse_denied(before: Register, request: Request) -> None:
    if request.identity in before.denied:
        raise PkiError(
            Reason.DENIED, "this node was revoked; to use the machine again start it with an empty data directory"
        )


def _refuse_other_identity(known: Enrolled, request: Request) -> None:
    if known.grant.identity != request.identity:
        raise PkiError(
            Reason.NAME_TAKEN,
            f"{request.name} is another machine's name; to put this one in its place: "
            f"hepto node replace {request.name} {fingerprint(request.identity)}",
        )
    if known.grant.role is not request.role:
        raise PkiError(
            Reason.ROLE_PINNED,
            f"{request.name} belongs as {known.grant.role}; a role changes only by `hepto node forget {request.name}` "
            "and a new join, which an operator admits",
        )


def _refuse_reserved(before: Register, request: Request) -> None:
    """An operator's order to replace a node holds until the new one comes: the old one would be back before it."""
    identity = fingerprint(request.identity)
    kept = before.reserved(request.name)
    if kept not in (None, identity):
        raise PkiError(
            Reason.NAME_TAKEN,
            f"an operator keeps {request.name} for the node with the fingerprint {kept}; to let this one in instead: "
            f"hepto node replace {request.name} {identity}",
        )


def _refuse_duplicates(before: Register, request: Request, facts: Facts) -> None:
    """Of a new name. Addresses are hashes of names: that two are the same is improbable, and would be a catastrophe."""
    owner = before.owner(request.identity)
    if owner is not None:
        raise PkiError(
            Reason.IDENTITY_TAKEN,
            f"this identity belongs to {owner}; copies of a disk need an identity of their own, and to rename a node: "
            f"hepto node forget {owner}, then hepto node admit {fingerprint(request.identity)}",
        )
    address, pods = facts.plan.node(request.name), facts.plan.pod_subnet(request.name)
    for name in before.nodes:
        if facts.plan.node(name) == address or facts.plan.pod_subnet(name) == pods:
            raise PkiError(Reason.ADDRESS_TAKEN, f"{name} has the same addresses; choose another name")
