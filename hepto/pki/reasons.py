"""Why pki refused input from a peer: a closed list, counted by name, each with the status that it is answered by.

`PkiError` promises that nothing was changed. When `body` is empty whoever serves HTTP closes the connection without a
word (nothing has proved the gossip key or an identity: a stranger learns nothing), else it answers with `status` and
`body`, which is authenticated.
"""

from enum import StrEnum
from typing import Final

from hepto.errors import PeerError

UNAUTHENTICATED: Final = 401


class Reason(StrEnum):
    """What was wrong with the bytes, or with what they said."""

    MALFORMED = "malformed"
    BAD_MAC = "bad-mac"
    BAD_NONCE = "bad-nonce"
    BAD_SIGNATURE = "bad-signature"
    BAD_CSR = "bad-csr"
    NO_POSSESSION = "no-possession"
    BAD_PROFILE = "bad-profile"
    # The rules of the signer.
    BAD_NAME = "bad-name"
    SECOND_MASTER = "second-master"
    NAME_TAKEN = "name-taken"
    IDENTITY_TAKEN = "identity-taken"
    WIREGUARD_KEY_TAKEN = "wireguard-key-taken"
    ADDRESS_TAKEN = "address-taken"
    ROLE_PINNED = "role-pinned"
    DENIED = "denied"
    NOT_ENROLLED = "not-enrolled"
    TOO_MANY_NAMES = "too-many-names"
    TOO_MANY_PENDING = "too-many-pending"
    TOO_MANY_GRANTS = "too-many-grants"
    BAD_CLOCK = "bad-clock"
    # What a node does not take.
    BAD_AUTHORITY = "bad-authority"
    OTHER_AUTHORITY = "other-authority"
    BAD_GRANT = "bad-grant"
    BAD_REVOCATIONS = "bad-revocations"
    NOT_A_MASTER = "not-a-master"
    BAD_CERTIFICATE = "bad-certificate"
    REFUSED = "refused"
    # Operators.
    NOT_AN_OPERATOR = "not-an-operator"
    NOT_FOR_US = "not-for-us"


STATUS: Final = {
    Reason.BAD_MAC: UNAUTHENTICATED,
    Reason.BAD_NONCE: 410,
    Reason.BAD_SIGNATURE: 403,
    Reason.NO_POSSESSION: 403,
    Reason.BAD_PROFILE: 403,
    Reason.BAD_NAME: 403,
    Reason.SECOND_MASTER: 403,
    Reason.DENIED: 403,
    Reason.NOT_ENROLLED: 403,
    Reason.NOT_AN_OPERATOR: 403,
    Reason.NAME_TAKEN: 409,
    Reason.IDENTITY_TAKEN: 409,
    Reason.WIREGUARD_KEY_TAKEN: 409,
    Reason.ADDRESS_TAKEN: 409,
    Reason.ROLE_PINNED: 409,
    Reason.TOO_MANY_NAMES: 429,
    Reason.TOO_MANY_PENDING: 429,
    Reason.TOO_MANY_GRANTS: 429,
    Reason.BAD_CLOCK: 503,
}
"""Others are 400."""


class PkiError(PeerError):
    """Input that is not believed, or refused; nothing was changed by it."""

    def __init__(self, kind: Reason, detail: str = "", body: bytes = b""):
        super().__init__(kind.value, detail)
        self.kind = kind
        self.body = body

    @property
    def status(self) -> int:
        """The HTTP status of the refusal."""
        return STATUS.get(self.kind, 400)


class RefusedError(PkiError):
    """The other side, which has proved who it is, said no; `detail` is what it says to do."""
