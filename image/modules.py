"""Chooses kernel modules with what they depend on. Text of modules.dep in, names out.

Names are module names as modprobe understands them: `-` and `_` are the same, no folder, no suffix.
"""

import re
import struct
from collections.abc import Iterable, Mapping, Sequence

from image.layout import matcher

SIGNATURE_MARK = b"~Module signature appended~\n"
SIGNATURE_DETAILS = struct.Struct(">BBBBB3xI")  # struct module_signature of include/linux/module_signature.h
DEVICES = ("drivers/", "sound/")
SUFFIX = re.compile(r"\.ko(\.(xz|zst|gz))?$")


def name_of(path: str) -> str:
    """The module's name: `kernel/drivers/block/virtio_blk.ko.xz` -> `virtio_blk`."""
    return SUFFIX.sub("", path.rpartition("/")[2]).replace("-", "_")


def without_signature(module: bytes) -> bytes:
    """The module as it was before it was signed; one that is not signed stays as it is."""
    if not module.endswith(SIGNATURE_MARK):
        return module
    body = module[: -len(SIGNATURE_MARK)]
    *_, length = SIGNATURE_DETAILS.unpack_from(body, len(body) - SIGNATURE_DETAILS.size)
    return body[: len(body) - SIGNATURE_DETAILS.size - int(length)]


def parse_dependencies(text: str) -> dict[str, tuple[str, ...]]:
    """modules.dep: each module's path -> the paths of all it needs, nearest first, as depmod writes them."""
    table = {}
    for line in text.splitlines():
        path, separator, needs = line.partition(":")
        if separator:
            table[path] = tuple(needs.split())
    return table


def kept(dependencies: Mapping[str, Sequence[str]], drop: Sequence[str], drivers: Sequence[str] = ()) -> set[str]:
    """Paths of the modules that stay: those that no glob drops, and what those need.

    With `drivers` these globs alone decide what stays of drivers/, and of sound/ nothing does."""
    unwanted, wanted = matcher(drop), matcher(drivers)
    stay: set[str] = set()
    for path, needs in dependencies.items():
        name = SUFFIX.sub("", path.removeprefix("kernel/"))
        listed = bool(drivers) and name.startswith(DEVICES)
        if wanted.match(name) if listed else not unwanted.match(name):
            stay.add(path)
            stay.update(needs)
    return stay


def load_order(dependencies: Mapping[str, Sequence[str]], names: Iterable[str]) -> list[str]:
    """Paths in an order in which insmod succeeds: every module after what it needs, none twice.

    A name that is no module (built into the kernel) is left out."""
    paths = {name_of(path): path for path in dependencies}
    order: list[str] = []
    for name in names:
        if path := paths.get(name.replace("-", "_")):
            for each in (*reversed(dependencies[path]), path):
                if each not in order:
                    order.append(each)
    return order


def aliases_of(text: str, paths: Iterable[str]) -> str:
    """The lines of modules.alias that are about these modules."""
    names = {name_of(path) for path in paths}
    found = [line for line in text.splitlines() if line.startswith("alias ") and name_of(line.split()[-1]) in names]
    return "".join(f"{line}\n" for line in found)
