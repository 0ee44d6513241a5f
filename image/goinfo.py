"""Reads which Go modules are in an executable: bytes in, values out, as `go version -m` shows them.

The compiler writes the text of debug.BuildInfo into every binary (Go's src/debug/buildinfo/buildinfo.go has the layout
that Go 1.18 and later use).
"""

from dataclasses import dataclass
from mmap import mmap

MAGIC = b"\xff Go buildinf:"
ALIGNMENT = 16
HEADER = 32
"""Bytes from the magic to the two strings."""
INLINE = 2
"""In the byte after the pointer's size: the strings follow the header."""
MARK = 16
"""Bytes of the marks around the list of modules."""


@dataclass(frozen=True, order=True)
class Module:
    """A module as it was compiled in. `checksum` is that of go.sum (`h1:…`), "" for the main module."""

    path: str
    version: str
    checksum: str = ""
    stands_for: str = ""  # the module that go.mod replaces by this one


@dataclass(frozen=True)
class BuildInfo:
    """Go's version (`1.26.8`), and all modules but the main one, sorted."""

    go: str
    modules: tuple[Module, ...]


def read(binary: bytes | mmap) -> BuildInfo | None:
    """What the compiler wrote down; None for something that Go >= 1.18 did not make."""
    start = -1
    while (start := binary.find(MAGIC, start + 1)) >= 0:
        if start % ALIGNMENT == 0 and start + HEADER < len(binary) and binary[start + len(MAGIC) + 1] & INLINE:
            break
    if start < 0:
        return None
    version, end = _string(binary, start + HEADER)
    text, _ = _string(binary, end)
    return BuildInfo(
        version.decode(errors="replace").partition(" ")[0].removeprefix("go"),
        parse(text[MARK:-MARK].decode(errors="replace")),
    )


def parse(text: str) -> tuple[Module, ...]:
    """The modules of the text of debug.BuildInfo; what replaces a module follows it in a line `=>`."""
    modules: list[Module] = []
    for line in text.splitlines():
        kind, *words = line.split("\t")
        if len(words) < 2:
            continue
        module = Module(words[0], words[1], words[2] if len(words) > 2 else "")
        if kind == "dep":
            modules.append(module)
        elif kind == "=>" and modules:
            replaced = modules.pop()
            stands_for = replaced.path if replaced.path != module.path else ""
            modules.append(Module(module.path, module.version, module.checksum, stands_for))
    return tuple(sorted(modules))


def _string(data: bytes | mmap, start: int) -> tuple[bytes, int]:
    """A string after its length (a varint of encoding/binary), and where it ends; at most what is left."""
    length = shift = 0
    while start < len(data):
        byte = data[start]
        start += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    end = min(start + length, len(data))
    return bytes(data[start:end]), end
