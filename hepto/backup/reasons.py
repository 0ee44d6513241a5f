"""Why a backup is refused: one name each, for counting and for tests; the text is for a person."""

from enum import StrEnum

from hepto.errors import PeerError


class Reason(StrEnum):
    """What is wrong with a file that should be a backup."""

    HEADER = "backup-header"
    """It is no file of age, or its head is damaged."""
    NO_MATCH = "backup-no-key"
    """None of the keys opens it."""
    HEADER_MAC = "backup-header-mac"
    """A key opens it, and its head was changed."""
    PAYLOAD = "backup-payload"
    """It is cut off or was changed."""
    ARCHIVE = "backup-archive"
    """What is in it is no backup, or not of a version that is known here."""
    DATABASE = "backup-database"
    """etcd's database in it is damaged."""


class BackupError(PeerError):
    """A backup is refused; nothing was written."""

    def __init__(self, reason: Reason, detail: str = ""):
        super().__init__(reason, detail)
        self.reason: Reason = reason
