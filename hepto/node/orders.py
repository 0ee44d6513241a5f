"""What operators can order of a node, by verb (trust.md section 6): hepto/api/operators.py has verified who orders.

Promises: an order of the cluster (whom it lets in, whom it forgets) is durable before it is confirmed; a key leaves the
machine of whoever made it never.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hepto.api.operators import Ordered, Verb, VerbHandler
from hepto.api.signing import Signing
from hepto.edge import evidence, logs
from hepto.edge.pump import pause
from hepto.errors import PeerError, UserError
from hepto.kube.parameters import API_PORT
from hepto.log import Log
from hepto.node import backups
from hepto.node.board import Board
from hepto.node.desired import Identity
from hepto.node.supervisor import Supervisor
from hepto.pki import admission, fields
from hepto.pki.register import Register
from hepto.pki.verify import UNREADABLE
from init import logread
from init.contract.control import Request
from init.contract.control import Verb as Control
from init.logread import Following, Line

NO_BACKUP: Final = "no-backup"
FOLLOW_SECONDS: Final = 0.2
MOST_DIGITS: Final = 9
"""Of a number of lines."""
ACTIONS: Final = {
    "start": Control.START,
    "stop": Control.STOP,
    "restart": Control.RESTART,
    "poweroff": Control.POWEROFF,
    "reboot": Control.REBOOT,
}
OF_THE_NODE: Final = (Control.POWEROFF, Control.REBOOT)


class NodeOrders:
    """Of any node. `answer` is what `hepto status --json` prints."""

    def __init__(self, supervisor: Supervisor, answer: Callable[[], dict[str, Any]]):
        self._supervisor = supervisor
        self._answer = answer

    def handlers(self) -> dict[Verb, VerbHandler]:
        """By verb."""
        return {Verb.STATUS: self._status, Verb.LOGS: self._logs, Verb.SERVICE: self._service}

    async def _status(self, arguments: tuple[str, ...], ordered: Ordered) -> object:
        del arguments, ordered
        return self._answer()

    async def _logs(self, arguments: tuple[str, ...], ordered: Ordered) -> object:
        del ordered
        service, count, since, follow, as_json = arguments
        if count and (not count.isdecimal() or len(count) > MOST_DIGITS):
            raise UserError(f"“{count}” is no number of lines", "hepto logs -n N NODE SERVICE")
        begin = logs.since(since)
        names = await asyncio.to_thread(logread.services)
        write = logs.as_object if as_json else logs.as_text
        if not service:
            return _names(names, as_json=bool(as_json))
        logs.check(service, names)
        found = await asyncio.to_thread(logs.begin, service, int(count) if count else None, begin, follow=bool(follow))
        return _lines(*found, write)

    async def _service(self, arguments: tuple[str, ...], ordered: Ordered) -> object:
        del ordered
        action, service = arguments
        if action == "list":
            return self._answer()["services"]
        if action == "crashes":
            return await asyncio.to_thread(evidence.plain_crashes, service)
        verb = ACTIONS.get(action)
        if verb is None:
            raise UserError(
                f"a service cannot be told to “{action}”", f"there are: list, crashes, {', '.join(ACTIONS)}"
            )
        try:
            return await self._supervisor.ask(Request(verb, {} if verb in OF_THE_NODE else {"service": service}))
        except OSError as error:
            raise UserError(str(error), str(getattr(error, "hint", "")) or "hepto service NODE list") from None


async def _names(names: Sequence[str], *, as_json: bool) -> AsyncIterator[bytes]:
    yield (json.dumps(names) + "\n" if as_json else "".join(f"{name}\n" for name in names)).encode()


async def _lines(
    lines: Sequence[Line], following: Following | None, write: Callable[[Line], str]
) -> AsyncIterator[bytes]:
    for line in lines:
        yield write(line).encode() + b"\n"
    while following is not None:
        found = await asyncio.to_thread(following.take)
        if found:
            yield "".join(write(line) + "\n" for line in found).encode()
        else:
            await pause(FOLLOW_SECONDS)


class ClusterOrders:
    """Of a master. `revoked` is called when a node was put out: a new gossip key is to be made before."""

    def __init__(self, board: Board, node: Identity, signing: Signing, rotate: Callable[[], None]):
        self._log = Log("orders")
        self._board = board
        self._node = node
        self._signing = signing
        self._rotate = rotate

    def handlers(self) -> dict[Verb, VerbHandler]:
        """By verb."""
        return {
            Verb.KUBECONFIG: self._kubeconfig,
            Verb.NODES: self._nodes,
            Verb.ADMIT: self._admit,
            Verb.FORGET: self._forget,
            Verb.REPLACE: self._replace,
            Verb.REVOKE: self._revoke,
            Verb.BACKUP: self._backup,
        }

    @property
    def _register(self) -> Register:
        return self._signing.signer.register

    async def _kubeconfig(self, arguments: tuple[str, ...], ordered: Ordered) -> object:
        if self._node.config.kube_api != "open":
            what = "this cluster's apiserver is not open on the underlay (hepto.kube-api=mesh)"
            raise UserError(what, "use kubectl on a node of the cluster")
        try:
            request = x509.load_pem_x509_csr(arguments[0].encode()).public_bytes(Encoding.DER)
            certificate = self._signing.signer.operator_certificate(ordered.fingerprint, request, _now())
        except (*UNREADABLE, PeerError) as error:
            raise UserError(f"the certificate request is of no use: {error}", "hepto kubeconfig makes one") from None
        network = self._board.facts.network
        addresses = network.addresses if network is not None else ()
        return {
            "certificate": certificate.public_bytes(Encoding.PEM).decode(),
            "servers": [f"https://[{address}]:{API_PORT}" for address in addresses],
        }

    async def _nodes(self, arguments: tuple[str, ...], ordered: Ordered) -> object:
        del arguments, ordered
        register = self._register
        return {
            "nodes": [
                {
                    "name": name,
                    "role": node.grant.role.value,
                    "address": str(self._node.plan.node(name)),
                    "fingerprint": fields.fingerprint(node.grant.identity),
                    "since": node.since,
                    "expires": node.grant.not_after,
                }
                for name, node in sorted(register.nodes.items())
            ],
            "pending": [
                {"name": one.name, "role": one.role.value, "fingerprint": fingerprint, "since": one.since}
                for fingerprint, one in sorted(register.pending.items())
            ],
        }

    async def _admit(self, arguments: tuple[str, ...], ordered: Ordered) -> object:
        del ordered
        return self._keep(admission.admit(self._register, arguments[0]))

    async def _forget(self, arguments: tuple[str, ...], ordered: Ordered) -> object:
        del ordered
        return self._keep(admission.forget(self._register, arguments[0], self._signing.signer.facts, _now()))

    async def _replace(self, arguments: tuple[str, ...], ordered: Ordered) -> object:
        del ordered
        name, fingerprint = arguments
        facts = self._signing.signer.facts
        return self._keep(admission.replace_node(self._register, name, fingerprint, facts, _now()))

    async def _revoke(self, arguments: tuple[str, ...], ordered: Ordered) -> object:
        """The order of things is that of a crash in between: then the order is said again (Pki.rotate_keyring)."""
        del ordered
        changed = admission.revoke(self._register, arguments[0], self._signing.signer.facts, _now())
        return self._keep(changed, self._rotate)

    async def _backup(self, arguments: tuple[str, ...], ordered: Ordered) -> object:
        """It is taken while the answer has begun already: etcd may need longer for it than an answer may."""
        del arguments, ordered
        source = backups.source(self._node)
        if not source.recipients:
            what = f"{self._node.node} has no recipients of backups, and none leaves it unencrypted"
            raise UserError(what, "make a pair with “hepto key --backup”, and boot it with hepto.backup-to=age1…")
        return self._backup_pieces(source)

    async def _backup_pieces(self, source: backups.Source) -> AsyncIterator[bytes]:
        try:
            made = await backups.take(source, _now())
            self._board.learn(backup=made)
            async for piece in backups.pieces(made):
                yield piece
        except (UserError, OSError) as error:
            self._log.error("no backup was given", error=error)
            raise PeerError(NO_BACKUP, str(error)) from None  # the connection ends before the answer does

    def _keep(self, register: Register, first: Callable[[], None] = lambda: None) -> dict[str, bool]:
        try:
            first()
            self._signing.keep(register)
        except OSError as error:
            raise UserError(f"the register cannot be written: {error}", "make room on the data disk") from None
        return {"ok": True}


def _now() -> datetime:
    return datetime.now(UTC)
