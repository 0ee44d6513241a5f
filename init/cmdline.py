"""PID 1's own keys of the kernel command line: `init.*`, `hepto.debug` and `hepto.data-disk`.

Never fails, whatever the bytes are: what is not understood is left to the agent, which reports mistakes. Everything
else on the command line is the agent's (boot.md section 1).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

MAX_BYTES = 64 * 1024
"""More than any kernel takes (COMMAND_LINE_SIZE is 2048 on x86, 4096 on others)."""


class CommandLine(NamedTuple):
    debug: frozenset[str] = frozenset()
    data_disk: str = ""
    """A serial number, `memory`, or empty: decide by what is on the disks."""
    init: Mapping[str, str] = MappingProxyType({})
    """`init.NAME=VALUE` by NAME; the last one given wins, as with the kernel's own parameters."""


def words(text: str) -> list[str]:
    """Split as the kernel does (lib/cmdline.c, next_arg): at white space, except between double quotes, which
    vanish."""
    found: list[str] = []
    word = ""
    inside = quoted = False
    for character in text:
        if character.isspace() and not quoted:
            if inside:
                found.append(word)
            word, inside = "", False
            continue
        inside = True
        if character == '"':
            quoted = not quoted
        else:
            word += character
    return [*found, word] if inside else found


def parse(data: bytes) -> CommandLine:
    """Read /proc/cmdline's content. `-` and `_` are the same in names; what follows `--` is init's too, as far as we
    care."""
    debug: frozenset[str] = frozenset()
    data_disk = ""
    init: dict[str, str] = {}
    for word in words(data[:MAX_BYTES].decode("utf-8", "replace").replace("\0", " ")):
        name, _, value = word.partition("=")
        name = name.replace("_", "-")
        if name == "hepto.debug":
            debug = frozenset(item.strip() for item in value.split(",") if item.strip())
        elif name == "hepto.data-disk":
            data_disk = value.strip()
        elif name.startswith("init."):
            init[name.removeprefix("init.")] = value
    return CommandLine(debug, data_disk, MappingProxyType(init))
