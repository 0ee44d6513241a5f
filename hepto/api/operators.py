"""Orders of operators, on the node's side: who signed one, whether it is for us and new, and who carries it out.

Promises: nobody without the gossip key is answered; a nonce of ours is good for one order within a minute; what a verb
does is in the table that is handed in, and is told who ordered it. A handler's UserError is the operator's to read;
any other error is a defect and ends the agent.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final, Protocol

from hepto.api import messages
from hepto.api.messages import HELLO_NAME, WELCOME_NAME, Hello, Refusal, Signed, Welcome
from hepto.api.proof import NONCE_BYTES, Mac, holds
from hepto.api.routes import UNPROVEN, Reply
from hepto.edge.http_server import Response
from hepto.errors import ExitCode, PeerError, UserError

NONCE_SECONDS: Final = 60.0
MOST_NONCES: Final = 1024
"""The oldest goes: only who has the gossip key can make one."""
STREAM_TYPE: Final = "application/octet-stream"
FORBIDDEN: Final = 403
UNKNOWN: Final = 404
FAILED: Final = 409


class Verb(StrEnum):
    """What can be ordered."""

    STATUS = "status"
    LOGS = "logs"
    SERVICE = "service"
    KUBECONFIG = "kubeconfig"
    NODES = "nodes"
    ADMIT = "admit"
    FORGET = "forget"
    REPLACE = "replace"
    REVOKE = "revoke"
    BACKUP = "backup"
    BACKUPS = "backups"
    COPY = "copy"


ARGUMENTS: Final[dict[Verb, tuple[str, ...]]] = {
    Verb.STATUS: (),  # -> what `hepto status --json` prints
    # -> bytes; service "": list of names; lines "": all; since: as in `hepto logs --since`, "": all; flags: "1"
    Verb.LOGS: ("service", "lines", "since", "follow", "json"),
    # list, crashes -> what `hepto service list --json` or `crashes --json` prints; service "" where none is
    Verb.SERVICE: ("action", "service"),
    Verb.KUBECONFIG: ("csr",),  # PEM -> {"certificate": PEM, "servers": [URL, …]}: the apiserver on the underlay
    Verb.NODES: (),  # -> {"nodes": [{name, role, address, fingerprint, since, expires}], "pending": [{fingerprint, …}]}
    Verb.ADMIT: ("fingerprint",),
    Verb.FORGET: ("name",),
    Verb.REPLACE: ("name", "fingerprint"),
    Verb.REVOKE: ("name",),
    Verb.BACKUP: (),  # -> bytes: a backup that is taken now, encrypted to the recipients of the master
    Verb.BACKUPS: (),  # -> [{name, size, made, encrypted}]: what this node has, copies of a master's among them
    Verb.COPY: ("name",),  # -> bytes: an encrypted one that this node has
}
"""By verb: the arguments, all of them texts. What comes back is whatever JSON can say."""


class Order(Protocol):
    """hepto.pki.operator.Order."""

    @property
    def verb(self) -> str: ...

    @property
    def arguments(self) -> tuple[str, ...]: ...

    @property
    def nonce(self) -> bytes: ...


class Ordered(Protocol):
    """hepto.pki.operator.Ordered: an order that was verified."""

    @property
    def order(self) -> Order: ...

    @property
    def fingerprint(self) -> str:
        """The operator's, as `ssh-keygen -l` prints it."""


VerbHandler = Callable[[tuple[str, ...], Ordered], Awaitable[object]]
"""Called with the arguments, as many as ARGUMENTS has. Gives what JSON can say, or an iterator of bytes to stream."""


class Operators:
    """The door of /v1/operator."""

    def __init__(
        self,
        node: str,
        authority: bytes,
        mac: Mac,
        verify: Callable[[bytes, bytes], Ordered],
        handlers: Mapping[Verb, VerbHandler],
        *,
        token: Callable[[int], bytes],
        clock: Callable[[], float],
        log: Callable[[str, str], None] = lambda _verb, _fingerprint: None,
    ):
        """`authority`: the CA in DER. `verify(order, signature)` raises PeerError unless an operator ordered this node.

        `clock` counts seconds and never goes back; `token(n)` gives n random bytes; `log` hears of every order.
        """
        self._node = node
        self._authority = authority
        self.mac = mac
        """Replaced when the gossip key is rotated."""
        self._verify = verify
        self._handlers = handlers
        self._token = token
        self._clock = clock
        self._log = log
        self._nonces: dict[bytes, float] = {}

    async def __call__(self, body: bytes, server_key: bytes) -> Reply | Response:
        """Either of the two requests. Raises PeerError: no answer."""
        try:
            signed = messages.read(Signed, body)
        except PeerError:
            return self._welcome(messages.read(Hello, body), server_key)
        made = self._nonces.pop(signed.nonce, None)
        if made is None:
            return Reply(UNPROVEN, reason="operator-bad-nonce")
        if self._clock() - made > NONCE_SECONDS:
            return _refusal(FORBIDDEN, "the order came too late", "say it again", "operator-too-late")
        try:
            ordered = self._verify(signed.order, signed.signature)
        except PeerError as error:
            hint = "the public key has to be in hepto.admin of this node"
            return _refusal(FORBIDDEN, error.detail or error.reason, hint, error.reason)
        if ordered.order.nonce != signed.nonce:
            return _refusal(FORBIDDEN, "the order was made for another occasion", "say it again", "operator-bad-nonce")
        return await self._obey(ordered)

    def _welcome(self, hello: Hello, server_key: bytes) -> Reply:
        if not holds(self.mac, hello.proof, HELLO_NAME, hello.nonce, server_key):
            return Reply(UNPROVEN, reason="operator-bad-proof")
        while len(self._nonces) >= MOST_NONCES:
            self._nonces.pop(next(iter(self._nonces)))
        nonce = self._token(NONCE_BYTES)
        self._nonces[nonce] = self._clock()
        welcome = Welcome(self._node, self._authority, nonce)
        return Reply(200, messages.encode(replace(welcome, proof=welcome_proof(self.mac, hello, welcome, server_key))))

    async def _obey(self, ordered: Ordered) -> Reply | Response:
        order = ordered.order
        handler = self._handlers.get(Verb(order.verb)) if order.verb in set(Verb) else None
        if handler is None:
            hint = f"here is known: {', '.join(self._handlers) or 'nothing'}"
            return _refusal(UNKNOWN, f"{self._node} does not know “{order.verb}”", hint, "operator-unknown-verb")
        wanted = ARGUMENTS[Verb(order.verb)]
        if len(order.arguments) != len(wanted):
            what = f"{order.verb} takes {', '.join(wanted) or 'no arguments'}"
            return _refusal(FAILED, what, "use the same version of hepto as the node", "operator-bad-arguments")
        self._log(order.verb, ordered.fingerprint)
        try:
            result = await handler(order.arguments, ordered)
        except UserError as error:
            return _refusal(_STATUS.get(error.code, FAILED), error.what, error.hint, f"{order.verb}-refused")
        if isinstance(result, AsyncIterator):
            return Response(200, result, STREAM_TYPE)
        return Reply(200, messages.encode_result(result))


_STATUS: Final = {ExitCode.REFUSED: FORBIDDEN, ExitCode.UNREACHABLE: 503}


def welcome_proof(mac: Mac, hello: Hello, welcome: Welcome, server_key: bytes) -> bytes:
    """What makes a Welcome one of somebody with the gossip key, on this very connection."""
    return mac(WELCOME_NAME, hello.nonce, welcome.nonce, server_key, welcome.node.encode(), welcome.authority)


def _refusal(status: int, what: str, hint: str, reason: str) -> Reply:
    line = " ".join(what.split())[:500]
    return Reply(status, messages.encode(Refusal(line, " ".join(hint.split())[:500])), reason)
