"""What options say of backups.

Keys are as `age` writes them (https://c2sp.org/age): `age1…` is a recipient, `AGE-SECRET-KEY-1…` its secret half; both
are 32 bytes of X25519 in Bech32 (BIP 173, without its limit on length). Pure.
"""

from typing import Final

from hepto.values import BadValue, Kind, Secret

RECIPIENT_PREFIX: Final = "age"
SECRET_PREFIX: Final = "AGE-SECRET-KEY-"
KEY_BYTES: Final = 32
LONGEST_PATH: Final = 253
_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM: Final = 6
"""Characters."""


def recipient(public: bytes) -> str:
    """The text of a public key of 32 bytes."""
    return _encode(RECIPIENT_PREFIX, public)


def secret_text(private: bytes) -> str:
    """The text of a private key of 32 bytes."""
    return _encode(SECRET_PREFIX.lower(), private).upper()


def public_key(text: str) -> bytes:
    """The 32 bytes of a recipient. Raises BadValue."""
    return _decode(RECIPIENT_PREFIX, text, "a recipient (age1…)")


def private_key(text: str) -> Secret:
    """The 32 bytes of a private key. Raises BadValue."""
    return Secret(_decode(SECRET_PREFIX.lower(), text, "a private key of backups (AGE-SECRET-KEY-1…)"))


def private_keys(text: str) -> tuple[Secret, ...]:
    """The keys in a file as `age-keygen` and `hepto key --backup` write it: one a line, `#` begins a comment.

    Raises BadValue, also when there is none.
    """
    lines = (line.strip() for line in text.splitlines())
    found = tuple(private_key(line) for line in lines if line and not line.startswith("#"))
    if not found:
        raise BadValue("no private key of backups (AGE-SECRET-KEY-1…)")
    return found


def _decode(prefix: str, text: str, what: str) -> bytes:
    """Raises BadValue. Mixed case is refused, as BIP 173 wants it."""
    lower = text.lower()
    name, separator, rest = lower.rpartition("1")
    if text not in (lower, text.upper()) or not separator or name != prefix:
        raise BadValue(f"not {what}")
    if any(character not in _ALPHABET for character in rest) or len(rest) < _CHECKSUM:
        raise BadValue(f"not {what}: it has a character that cannot be")
    digits = [_ALPHABET.index(character) for character in rest]
    if _polymod([*_expanded(name), *digits]) != 1:
        raise BadValue(f"not {what}: a character is wrong or missing")
    data = _regroup(digits[:-_CHECKSUM], 5, 8)
    if data is None or len(data) != KEY_BYTES:
        raise BadValue(f"not {what}: it has another length")
    return bytes(data)


def _encode(prefix: str, data: bytes) -> str:
    digits = _regroup(list(data), 8, 5, pad=True)
    assert digits is not None, "with padding everything can be grouped"
    check = _polymod([*_expanded(prefix), *digits, *[0] * _CHECKSUM]) ^ 1
    digits += [check >> 5 * (_CHECKSUM - 1 - place) & 31 for place in range(_CHECKSUM)]
    return f"{prefix}1{''.join(_ALPHABET[digit] for digit in digits)}"


def _expanded(prefix: str) -> list[int]:
    codes = prefix.encode()
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _polymod(digits: list[int]) -> int:
    """The checksum's remainder, of BIP 173."""
    found = 1
    for digit in digits:
        top = found >> 25
        found = (found & 0x1FFFFFF) << 5 ^ digit
        for place, generator in enumerate(_GENERATOR):
            found ^= generator if top >> place & 1 else 0
    return found


def _regroup(digits: list[int], width: int, into: int, *, pad: bool = False) -> list[int] | None:
    """Digits of `width` bits as digits of `into` bits; None if what is left over is no padding of zeros."""
    held = bits = 0
    found = []
    for digit in digits:
        held, bits = held << width | digit, bits + width
        while bits >= into:
            bits -= into
            found.append(held >> bits & (1 << into) - 1)
    rest = held & (1 << bits) - 1
    if pad:
        return [*found, rest << into - bits] if bits else found
    return None if bits >= width or rest else found


def _parse_place(text: str) -> str:
    """Where a backup is: an absolute path, or the name of a file on the ESP."""
    if not text.isprintable() or ".." in text.split("/") or len(text) > LONGEST_PATH:
        raise BadValue("not a path")
    if "/" in text and not text.startswith("/"):
        raise BadValue("neither an absolute path nor the name of a file")
    return text


def _render_key(key: Secret) -> str:
    return secret_text(key.reveal())


RECIPIENT: Final = Kind(lambda text: recipient(public_key(text)), str, "RECIPIENT", "an age recipient (age1…)")
PRIVATE_KEY: Final = Kind(private_key, _render_key, "KEY", "what `hepto key --backup` makes (AGE-SECRET-KEY-1…)")
BACKUP: Final = Kind(_parse_place, str, "FILE", "the path of a backup, or the name of one on the ESP")
