"""From what a user asks for to the lab's specification. Pure, but for the key that it is handed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hepto.errors import ExitCode, UserError
from hepto.lab import qemu, state
from hepto.lab.spec import DISK, DISK_FILE, DOMAIN, ISO_FILE, MEDIA, NETBOOT, UKI, UKI_FILE, Emulator, Lab, Node

FILES = ("vmlinuz", "initrd.cpio", "root.erofs")
"""What a lab needs of an image; a machine that UEFI starts needs another file besides (`files`)."""
SECRETS = ("hepto.key", "hepto.identity")
NAMES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
"""Of the nodes of a lab. The first makes the cluster, the others join it."""
OF_A_UKI = 128
"""Characters that a UKI's own command line has more than that of a machine whose kernel QEMU loads."""
LEAST_MEMORY = 512
MEMORY = 2048
"""MiB of a node that is master, too."""
WORKER_MEMORY = 1024
LIGHT_MEMORY = 512
"""MiB of a node without Kubernetes."""
CPUS = 2
CPUS_OF_JOINER = 1
"""Emulated processors share those of this machine: more of them make several nodes slower, not faster. All nodes wait
for the first, which has two."""
FOR_ONE = re.compile(r"([^=:.]+):(.+)", re.DOTALL)
"""NODE:WORD, a word of the command line of one node only."""


@dataclass(frozen=True)
class Wish:
    """The options of `hepto lab up`."""

    name: str = "default"
    image: str = "build/image"
    cluster: str = "demo"
    node: str = NAMES[0]
    """The first node."""
    nodes: int = 1
    role: str = "full"
    """Of the first node; the others are workers."""
    memory: int | None = None
    """MiB of each node; by its role if not given."""
    cpus: int | None = None
    disk: int = 8192
    disk_from: str = ""
    """Of the first node: a data disk is that of one node."""
    watchdog: bool = False
    """See spec.Node."""
    format: str = NETBOOT
    """See spec.Node."""
    options: tuple[str, ...] = ()
    """Further words of the kernel command line; NODE:WORD for one node only."""
    advertise: bool = True
    admin: str = ""
    """Public keys of operators (hepto.admin). A credential: they contain blanks, which no word may."""
    build: str = ""
    """Which build of the image it is."""
    asked: tuple[tuple[str, str], ...] = ()
    """Flags and their values, as given."""


def files(form: str) -> tuple[str, ...]:
    """What machines of that format need of an image; its kernel in any case, to try KVM with."""
    more = {DISK: (DISK_FILE,), UKI: (UKI_FILE,), **dict.fromkeys(MEDIA, (ISO_FILE,))}
    return (*FILES, *more.get(form, ()))


def names(wish: Wish) -> tuple[str, ...]:
    """Of the nodes, in their order."""
    return (wish.node, *NAMES[1 : wish.nodes])


def lab(wish: Wish, emulator: Emulator, key: str | None) -> Lab:
    """The specification. Raises UserError for what cannot be."""
    state.check_name(wish.name, "lab")
    state.check_name(wish.node, "node")
    all_names = names(wish)
    if len(set(all_names)) != wish.nodes:
        raise UserError(
            f"{wish.nodes} nodes cannot be called {', '.join(all_names)}",
            f"give at most {len(NAMES)} nodes, and the first a name that no other has",
            ExitCode.USAGE,
        )
    _check_names_in(wish.options, all_names)
    if wish.memory is not None and wish.memory < LEAST_MEMORY:
        raise UserError(f"a node cannot run in {wish.memory} MiB", "give at least --memory 1024", ExitCode.USAGE)
    if wish.format != NETBOOT and emulator.argv and not emulator.firmware:
        what, hint = "there is no UEFI firmware (OVMF) for QEMU", "install Debian's package ovmf"
        raise UserError(what, hint)
    credentials = (*((("hepto.key", key),) if key is not None else ()), *_admin(wish))
    whole = Lab(wish.name, wish.image, emulator, (), wish.cluster, wish.advertise, wish.build, wish.asked)
    nodes = tuple(_node(wish, name, _options(wish, whole, name), credentials) for name in all_names)
    return replace(whole, nodes=nodes)


def _admin(wish: Wish) -> tuple[tuple[str, str], ...]:
    return (("hepto.admin", wish.admin),) if wish.admin else ()


def _options(wish: Wish, whole: Lab, name: str) -> tuple[str, ...]:
    """The words of one node. All but the first join by the first."""
    first = name == wish.node
    ours = {
        "hepto.cluster": wish.cluster,
        "hepto.name": name,
        "hepto.role": wish.role if first else "node",
        **({} if first else {"hepto.anchor": _anchor(whole, wish.node)}),
        "hepto.debug": "lab",
    }
    options = merge(ours, tuple(words_for(name, wish.options)))
    length = len(qemu.command_line(options)) + (OF_A_UKI if wish.format != NETBOOT else 0)
    if length > qemu.COMMAND_LINE_LIMIT:
        raise UserError(
            f"the kernel command line has {length} characters; the kernel cuts it at {qemu.COMMAND_LINE_LIMIT}",
            "leave some --set options out",
            ExitCode.USAGE,
        )
    return options


def _anchor(whole: Lab, first: str) -> str:
    """The first node by its address, which needs no DNS, and by its name, which outlives a change of the prefix."""
    return f"{whole.address(first)},{first}.{DOMAIN}"


def words_for(name: str, given: tuple[str, ...]) -> Iterator[str]:
    """The words that are for everybody, and those for the node of that name."""
    for word in given:
        match = FOR_ONE.fullmatch(word)
        if match is None:
            yield word
        elif match[1] == name:
            yield match[2]


def _check_names_in(given: tuple[str, ...], known: tuple[str, ...]) -> None:
    for word in given:
        match = FOR_ONE.fullmatch(word)
        if match is not None and match[1] not in known:
            what = f"--set {word}: there is no node {match[1]!r}"
            raise UserError(what, f"the nodes are {', '.join(known)}", ExitCode.USAGE)


def _node(wish: Wish, name: str, options: tuple[str, ...], credentials: tuple[tuple[str, str], ...]) -> Node:
    first = name == wish.node
    disk_from = wish.disk_from if first else ""
    node = Node(
        name, options, credentials, disk=wish.disk, disk_from=disk_from, watchdog=wish.watchdog, format=wish.format
    )
    usual = LIGHT_MEMORY if not node.kubernetes else MEMORY if first else WORKER_MEMORY
    memory = usual if wish.memory is None else wish.memory
    return replace(node, memory=memory, cpus=wish.cpus or (CPUS if first else CPUS_OF_JOINER))


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
