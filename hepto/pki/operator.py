"""Orders of operators to a node, signed with their SSH key (trust.md section 6). Pure.

An order names its target and carries a nonce that the target made, so it holds for one node, once. Whether the nonce is
one of ours is the caller's to say: it made it.
"""

import re
from dataclasses import dataclass
from typing import Final

from hepto.pki import fields, sshsig
from hepto.pki.reasons import PkiError, Reason
from hepto.values import BadValue

NAME: Final = "hepto order 1"
MOST_BYTES: Final = 16 * 1024
MOST_ARGUMENTS: Final = 16
SHORTEST_NONCE: Final = 16
LONGEST_NONCE: Final = 64
_VERB: Final = re.compile(r"[a-z][a-z-]{0,31}")


@dataclass(frozen=True, slots=True)
class Order:
    """What a node is to do."""

    node: str
    """The target's name."""
    verb: str
    arguments: tuple[str, ...]
    nonce: bytes
    """The target's: 16 to 64 bytes."""

    def signed(self) -> bytes:
        """The bytes that are sent, and signed with namespace `hepto-operator-1`."""
        arguments = (argument.encode() for argument in self.arguments)
        return fields.signed(NAME, self.node.encode(), self.verb.encode(), self.nonce, *arguments)


@dataclass(frozen=True, slots=True)
class Ordered:
    """A verified order."""

    order: Order
    key: bytes
    """The operator's ed25519 key, 32 bytes."""

    @property
    def fingerprint(self) -> str:
        """The operator's, as `ssh-keygen -l` prints it."""
        return sshsig.fingerprint(self.key)


def read(data: bytes) -> Order:
    """What an order says: decoded, NOT verified. Raises PkiError(MALFORMED)."""
    if len(data) > MOST_BYTES:
        raise PkiError(Reason.MALFORMED, f"more than {MOST_BYTES} bytes")
    parts = fields.split(NAME, data)
    if not 3 <= len(parts) <= 3 + MOST_ARGUMENTS or not SHORTEST_NONCE <= len(parts[2]) <= LONGEST_NONCE:
        raise PkiError(Reason.MALFORMED, "not the fields of an order")
    try:
        node, verb, *arguments = (part.decode() for part in (*parts[:2], *parts[3:]))
    except UnicodeDecodeError:
        raise PkiError(Reason.MALFORMED, "not UTF-8") from None
    if not _VERB.fullmatch(verb):
        raise PkiError(Reason.MALFORMED, "not a verb")
    return Order(node, verb, tuple(arguments), parts[2])


def verify(data: bytes, signature: bytes, admins: tuple[str, ...], node: str) -> Ordered:
    """The order to `node` if one of `admins` (OpenSSH public keys) signed it, armoured as SSHSIG.

    Raises PkiError: MALFORMED, BAD_SIGNATURE, NOT_AN_OPERATOR or NOT_FOR_US. Its nonce is the caller's to look up.
    """
    key = sshsig.verify(signature, data)
    if key not in _keys(admins):
        raise PkiError(Reason.NOT_AN_OPERATOR, f"the key {sshsig.fingerprint(key)} is in no hepto.admin here")
    order = read(data)
    if order.node != node:
        raise PkiError(Reason.NOT_FOR_US, "it is for another node")
    return Ordered(order, key)


def _keys(admins: tuple[str, ...]) -> set[bytes]:
    """Those that can be read: a mistake in one does not lock the others out."""
    keys = set()
    for text in admins:
        try:
            keys.add(sshsig.public_key(text))
        except BadValue:
            continue
    return keys
