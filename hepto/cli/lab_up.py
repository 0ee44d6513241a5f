"""`hepto lab up`: makes a lab, or says in what the one that is there differs. Parses, calls hepto.lab, prints."""

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from hepto.cli.flags import secret_given
from hepto.cli.lab_fault import lab_option
from hepto.cli.output import print_json
from hepto.errors import UserError
from hepto.given import Given, Source, SourceKind
from hepto.options import BY_NAME

if TYPE_CHECKING:
    from hepto.cli.progress import Progress
    from hepto.lab import client, plan, state

FLAG = Source(SourceKind.FLAG)
READY_LIMIT = 1200
"""Seconds that nodes have from power-on to Ready; one takes 40 to 50 without KVM."""
MOST_DISK = 4 << 20
"""MiB. The disk is sparse, but a node writes its file system's tables over all of it."""
NOT_COMPARED = frozenset(("lab", "image", "key", "no_key", "admin", "no_wait", "limit", "as_json"))
"""Parameters that are compared in another way with those of a lab that is there, or are none of its."""


@click.command()
@lab_option
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    default=Path("build/image"),
    show_default=True,
    help="Directory that `hepto build` has filled.",
)
@click.option("--cluster", default="demo", show_default=True, help="Name of the cluster.")
@click.option(
    "--nodes",
    type=click.IntRange(1, 12),
    default=1,
    show_default=True,
    metavar="NUMBER",
    help="Number of nodes: the first makes the cluster, the others (two, three …) join it.",
)
@click.option("--node", default="one", show_default=True, help="Name of the first node.")
@click.option(
    "--memory", type=int, metavar="MIB", help="Memory of a node.  [default: 2048, 1024 for one that only joins]"
)
@click.option(
    "--cpus", type=click.IntRange(1, 64), help="Processors of a node.  [default: 2, with several nodes 1 each]"
)
@click.option(
    "--disk",
    type=click.IntRange(0, MOST_DISK),
    default=8192,
    show_default=True,
    metavar="MIB",
    help="Size of the (sparse) data disk; 0 for none.",
)
@click.option(
    "--disk-from",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    default=None,
    metavar="FILE",
    help="What the first node's data disk contains at first.",
)
@click.option(
    "--format",
    type=click.Choice(["netboot", "disk", "uki", "iso", "usb"]),
    default="netboot",
    show_default=True,
    help="What of the image nodes start from: QEMU loads a kernel, or UEFI firmware starts the disk image, the UKI, or "
    "the ISO image as a CD or on a USB stick, beside a blank disk.",
)
@click.option(
    "--set",
    "options",
    multiple=True,
    metavar="[NODE:]WORD",
    help="A further word of the kernel command line (of that node only), such as hepto.cni=none. Repeatable.",
)
@click.option(
    "--key",
    metavar="@FILE",
    help="File with the cluster's key, or - for standard input. A new key is made if not given.",
)
@click.option("--no-key", is_flag=True, help="Boot without any key; with --set hepto.insecure.")
@click.option("--admin", type=click.File("rb"), metavar="FILE", help="Public SSH key (ed25519) of an operator.")
@click.option("--no-router", is_flag=True, help="The lab's router sends no advertisements.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the nodes are Ready.")
@click.option(
    "--limit",
    type=float,
    default=READY_LIMIT,
    show_default=True,
    metavar="SECONDS",
    help="How long the nodes may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the lab as JSON when it is up.")
@click.pass_context
def up(ctx: click.Context, /, lab: str, as_json: bool, **given: Any) -> None:
    """Make a lab and wait until its nodes are Ready.

    A lab that is there is waited for, if it was made from this image and with what is said now.

    \b
    Examples:
      hepto lab up
      hepto lab up --nodes 3
      hepto lab up --name small --memory 1024 --set hepto.profile=local
      hepto lab up --nodes 2 --set hepto.debug=no-kube --set two:hepto.mesh-port=7000
    """
    from hepto.cli.progress import Progress
    from hepto.lab import again, boot, client, plan, state, words

    credentials = [] if given["no_key"] else [_key(given["key"])]
    if given["admin"]:
        credentials.append(Given("admin", given["admin"].read().strip(), FLAG))
    wish = _wish(lab, given, "")
    words.check(wish, credentials, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20)
    progress = Progress()
    where = state.place(lab)
    said = frozenset(name for name in given if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE)
    made = not state.alive(where)
    if made:
        boot.check_image(given["image"], plan.files(given["format"]))
        values = {f"hepto.{one.name}": (one.value or b"").decode() for one in credentials}
        wish = _wish(lab, given, values.get("hepto.admin", ""))
        _make(wish, values.get("hepto.key"), where, progress, given)
    else:
        with client.LabClient(where) as connection:
            snapshot = connection.snapshot()
            if "image" in said:
                boot.check_image(given["image"])
            secret = {f"--{one.name}": _has(where, snapshot, one) for one in credentials if one.name in said}
            if given["no_key"]:
                secret["--no-key"] = not _has(where, snapshot, Given("key", None, FLAG))
            again.check(snapshot, wish, said, secret)
            progress.note(f"lab {lab} is already there; `hepto lab down --name {lab}` ends it")
            if not given["no_wait"]:
                boot.wait_ready(connection, progress, given["limit"])
    if as_json or (made and not given["no_wait"]):
        with client.LabClient(where) as connection:
            snapshot = connection.snapshot()
        if as_json:
            print_json({**snapshot, "made": made})
        else:
            click.echo(boot.what_next(lab, snapshot["nodes"]))


def _has(where: "state.Place", snapshot: Mapping[str, Any], given: Given) -> bool:
    """True if the nodes were made with this credential; without a value: with any of its name."""
    name = f"hepto.{given.name}"
    try:
        there = where.node(snapshot["nodes"][0]["name"]).credential(name).read_bytes()
    except FileNotFoundError:
        return False
    return given.value is None or there.partition(b"=")[2] == given.value


def _wish(lab: str, given: Mapping[str, Any], admin: str) -> "plan.Wish":
    from hepto.lab import boot, plan

    return plan.Wish(
        name=lab,
        image=str(given["image"].absolute()),
        cluster=given["cluster"],
        node=given["node"],
        nodes=given["nodes"],
        memory=given["memory"],
        cpus=given["cpus"],
        disk=given["disk"],
        disk_from=given["disk_from"] or "",
        format=given["format"],
        options=given["options"],
        advertise=not given["no_router"],
        admin=admin,
        build=boot.build_of(given["image"]),
        asked=tuple((name, _text(value)) for name, value in given.items() if name not in NOT_COMPARED),
    )


def _text(value: object) -> str:
    """A parameter's value, to compare and to show."""
    if isinstance(value, tuple):
        return " ".join(value) or "not given"
    if value is None or isinstance(value, bool):
        return "given" if value else "not given"
    return str(value)


def _make(
    wish: "plan.Wish", key: str | None, where: "state.Place", progress: "Progress", given: Mapping[str, Any]
) -> None:
    from hepto.edge.cache import cache_directory
    from hepto.lab import boot, client, emulator, plan

    cache = cache_directory()
    with progress.step("Find QEMU"):
        found = emulator.find(cache)
        found = emulator.accelerate(found, Path(wish.image) / "vmlinuz", cache, say=progress.detail)
    if not found.trusted:
        version = ".".join(map(str, found.version))
        progress.note(
            f"QEMU {version} breaks guests with several processors: one is used. QEMU >= 10 has no such fault."
        )
    wanted = plan.lab(wish, found, key)
    with contextlib.ExitStack() as stack:
        with progress.step(f"Start lab {wish.name} ({found.accelerator})"):
            if not given["no_wait"]:
                stack.enter_context(boot.turn(cache, found.accelerator, progress))
            leash = client.make(wanted, where)
        _boot(leash, where, progress, given)


def _boot(leash: "client.Leash", where: "state.Place", progress: "Progress", given: Mapping[str, Any]) -> None:
    """Wait for the nodes; the lab outlives a node that does not become Ready, but not Ctrl-C."""
    from hepto.lab import boot, client

    try:
        if not given["no_wait"]:
            with client.LabClient(where) as connection:
                boot.wait_ready(connection, progress, given["limit"])
    except UserError:
        leash.keep()  # it runs, and somebody will want to look at it
        raise
    except BaseException:
        progress.note("ending the lab")
        leash.break_off()
        raise
    leash.keep()


def _key(given: str | None) -> Given:
    """The cluster's key: read, or made."""
    if given is None:
        return Given("key", secrets.token_hex(32).encode(), FLAG)
    return secret_given(BY_NAME["key"], given)
