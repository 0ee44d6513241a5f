"""SMBIOS tables as firmware makes them."""

import struct

END = struct.pack("<BBH", 127, 4, 0xFEFF) + b"\0\0"


def structure(kind: int, body: bytes, *strings: bytes) -> bytes:
    """One SMBIOS structure (DSP0134 6.1.2)."""
    text = b"".join(string + b"\0" for string in strings) + b"\0" if strings else b"\0\0"
    return struct.pack("<BBH", kind, 4 + len(body), kind) + body + text


def table(*strings: bytes) -> bytes:
    """A table as QEMU makes it: something before, the OEM strings, something after."""
    system = structure(1, b"\x01\x02" + b"\0" * 21, b"QEMU", b"Standard PC")
    return system + structure(11, bytes([len(strings)]), *strings) + structure(16, b"\0" * 19) + END
