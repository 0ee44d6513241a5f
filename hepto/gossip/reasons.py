"""Why input from a peer was refused: a closed list, counted by name and shown by `hepto gossip`.

The names are those of the test vectors (shared with other implementations) where they have one.
"""

from enum import StrEnum

from hepto.errors import PeerError


class Reason(StrEnum):
    """What was wrong with the bytes, or with what they said."""

    EMPTY_PACKET = "empty-packet"
    EMPTY_STREAM = "empty-stream"
    MISSING_TYPE = "missing-type"
    UNKNOWN_TYPE = "unknown-type"
    MSGPACK_INVALID = "msgpack-invalid"
    MSGPACK_TYPE = "msgpack-type"
    CRC_MISMATCH = "crc-mismatch"
    COMPOUND_NO_COUNT = "compound-no-count"
    COMPOUND_LENGTHS_TRUNCATED = "compound-lengths-truncated"
    COMPRESS_ALGO = "compress-algo"
    LZW_TRUNCATED = "lzw-truncated"
    LZW_BAD_CODE = "lzw-bad-code"
    DECOMPRESSED_TOO_LARGE = "decompressed-too-large"
    CRYPTO_EMPTY = "crypto-empty"
    CRYPTO_SHORT = "crypto-short"
    CRYPTO_VERSION = "crypto-version"
    CRYPTO_NO_KEY = "crypto-no-key"
    CRYPTO_PADDING = "crypto-padding"
    LABEL_MISMATCH = "label-mismatch"
    LABEL_TRUNCATED = "label-truncated"
    LABEL_EMPTY = "label-empty"
    STREAM_ENCRYPTED_NO_KEYRING = "stream-encrypted-no-keyring"
    STREAM_NOT_ENCRYPTED = "stream-not-encrypted"
    STREAM_TOO_LARGE = "stream-too-large"
    SHORT_READ = "short-read"
    PUSH_PULL_NODES = "push-pull-nodes"
    PUSH_PULL_USER_LENGTH = "push-pull-user-length"
    USER_LENGTH = "user-length"
    # Ours: well-formed, but not to be believed.
    NESTED_TOO_DEEP = "nested-too-deep"
    BAD_NAME = "bad-name"
    BAD_ADDRESS = "bad-address"
    BAD_PORT = "bad-port"
    META_TOO_LARGE = "meta-too-large"
    BAD_VERSIONS = "bad-versions"
    NOT_FOR_US = "not-for-us"
    NAME_CONFLICT = "name-conflict"
    TOO_MANY_STREAMS = "too-many-streams"
    BAD_EXTENSION = "bad-extension"


class GossipError(PeerError):
    """Input that breaks a rule of the protocol; nothing was changed by it."""

    def __init__(self, reason: Reason, detail: str = ""):
        super().__init__(reason.value, detail)
