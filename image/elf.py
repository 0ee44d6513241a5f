"""Reads what an ELF file is for, and which shared libraries it asks the dynamic linker for. Bytes in, names out."""

import struct
from collections.abc import Callable, Iterable
from mmap import mmap

MAGIC = b"\x7fELF"
HEADER = 20
"""Bytes that `is_program` looks at."""
ET_EXEC, ET_DYN, EM_X86_64 = 2, 3, 62
PT_LOAD, PT_DYNAMIC = 1, 2
DT_NULL, DT_NEEDED, DT_STRTAB, DT_STRSZ = 0, 1, 5, 10


def is_elf(data: bytes | mmap) -> bool:
    """Whether this is a 64-bit little-endian ELF file."""
    return data[:6] == MAGIC + b"\x02\x01"


def is_program(head: bytes) -> bool:
    """Whether a file that begins so is a program (or shared object) for amd64."""
    if len(head) < HEADER or not is_elf(head):
        return False
    kind, machine = struct.unpack_from("<HH", head, 16)
    return kind in (ET_EXEC, ET_DYN) and machine == EM_X86_64


def needed(data: bytes | mmap) -> tuple[str, ...]:
    """The names in DT_NEEDED, in order; () for a static executable or something that is no 64-bit ELF file."""
    if not is_elf(data):
        return ()
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", data, offset + index * size) for index in range(count)]
    loads = [(address, start, length) for kind, _, start, address, _, length, _, _ in headers if kind == PT_LOAD]
    dynamic = next(((start, length) for kind, _, start, _, _, length, _, _ in headers if kind == PT_DYNAMIC), None)
    if dynamic is None:
        return ()
    entries = list(struct.iter_unpack("<QQ", data[dynamic[0] : dynamic[0] + dynamic[1] // 16 * 16]))
    values = {tag: value for tag, value in entries if tag in {DT_STRTAB, DT_STRSZ}}
    if DT_STRTAB not in values:
        return ()
    table = next(
        values[DT_STRTAB] - address + start
        for address, start, length in loads
        if address <= values[DT_STRTAB] < address + length
    )
    names = []
    for tag, value in entries:
        if tag == DT_NULL:
            break
        if tag == DT_NEEDED:
            start = table + value
            names.append(data[start : data.find(b"\0", start)].decode())
    return tuple(names)


def closure(names: Iterable[str], needs: Callable[[str], tuple[str, ...]]) -> set[str]:
    """The names and all that they need, directly or not."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(needs(name))
    return found
