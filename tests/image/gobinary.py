"""An executable as Go leaves it, as far as its build information goes."""

from image.goinfo import ALIGNMENT, HEADER, INLINE, MAGIC, MARK


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def with_note(version: str, text: str) -> bytes:
    """The strings in the places that Go's buildinfo.go says."""
    note = b"S" * MARK + text.encode() + b"E" * MARK
    header = (MAGIC + bytes([8, INLINE])).ljust(HEADER, b"\0")
    strings = b"".join(varint(len(string)) + string for string in (version.encode(), note))
    # The magic occurs unaligned too, in whatever reads it.
    return (b"x" + MAGIC).ljust(4 * ALIGNMENT, b"x") + header + strings + b"rest"
