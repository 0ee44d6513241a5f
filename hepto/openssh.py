"""Public keys of operators as OpenSSH writes them: `ssh-ed25519 AAAA… comment`. Pure."""

import base64
import binascii
from typing import Final

TYPE: Final = "ssh-ed25519"
_HEAD: Final = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"
"""Before the 32 bytes of the key (RFC 8709 section 4)."""


def ed25519_line(text: str) -> str | None:
    """Type and key without a comment; None if it is no such key.

    The type may be left out: on a kernel command line blanks have to be quoted.
    """
    words = text.split()
    blob = words[1] if len(words) > 1 and words[0] == TYPE else words[0] if len(words) == 1 else ""
    try:
        data = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return None
    return f"{TYPE} {blob}" if data[: len(_HEAD)] == _HEAD and len(data) == len(_HEAD) + 32 else None
