"""From what a user asks for to the lab's specification. Pure, but for the key that it is handed."""

from dataclasses import dataclass

from hepto.errors import ExitCode, UserError
from hepto.lab import qemu, state
from hepto.lab.spec import Emulator, Lab, Node

FILES = ("vmlinuz", "initrd.cpio", "root.erofs")
"""What a lab needs of an image."""
SECRETS = ("hepto.key", "hepto.identity")


@dataclass(frozen=True)
class Wish:
    """The options of `hepto lab up`."""

    name: str = "default"
    image: str = "build/image"
    cluster: str = "demo"
    node: str = "one"
    role: str = "full"
    memory: int = 2048
    cpus: int = 2
    disk: int = 8192
    disk_from: str = ""
    options: tuple[str, ...] = ()
    """Further words of the kernel command line."""
    advertise: bool = True


def lab(wish: Wish, emulator: Emulator, key: str | None) -> Lab:
    """The specification. Raises UserError for what cannot be."""
    state.check_name(wish.name, "lab")
    state.check_name(wish.node, "node")
    if wish.memory < 512:
        raise UserError(f"a node cannot run in {wish.memory} MiB", "give at least --memory 1024", ExitCode.USAGE)
    options = merge(
        {
            "hepto.cluster": wish.cluster,
            "hepto.name": wish.node,
            "hepto.role": wish.role,
            "hepto.debug": "lab",
        },
        wish.options,
    )
    length = len(qemu.command_line(options))
    if length > qemu.COMMAND_LINE_LIMIT:
        raise UserError(
            f"the kernel command line has {length} characters; the kernel cuts it at {qemu.COMMAND_LINE_LIMIT}",
            "leave some --set options out",
            ExitCode.USAGE,
        )
    credentials = (("hepto.key", key),) if key is not None else ()
    node = Node(
        name=wish.node,
        options=options,
        credentials=credentials,
        memory=wish.memory,
        cpus=wish.cpus,
        disk=wish.disk,
        disk_from=wish.disk_from,
    )
    return Lab(wish.name, wish.image, emulator, (node,), wish.cluster, wish.advertise)


def merge(ours: dict[str, str], given: tuple[str, ...]) -> tuple[str, ...]:
    """Our words and the user's; the user's win, and hepto.debug adds up, for without `lab` nobody could look inside."""
    values = dict(ours)
    words = []
    for word in given:
        name, _, value = word.partition("=")
        if not word.isascii() or not word.isprintable() or " " in word or '"' in word:
            raise UserError(
                f"{word!r} cannot stand on a kernel command line", "use --set NAME=VALUE without blanks", ExitCode.USAGE
            )
        if name.replace("_", "-") in SECRETS:
            raise UserError(
                f"{name} on the kernel command line can be read by every pod and is seen in QEMU's arguments",
                "give the key by --key @FILE; it becomes a credential",
                ExitCode.USAGE,
            )
        if name == "hepto.debug":
            values[name] = ",".join(dict.fromkeys([*values[name].split(","), *value.split(",")]))
        elif name in values:
            values[name] = value
        else:
            words.append(word)
    return (*(f"{name}={value}" for name, value in values.items()), *words)
