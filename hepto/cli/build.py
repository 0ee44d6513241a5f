"""`hepto build`: makes the image that nodes boot, or says what is in it."""

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from hepto.cli.output import print_json, print_table
from hepto.cli.progress import Progress
from hepto.config import resolve
from hepto.edge.cache import cache_directory
from hepto.errors import ExitCode, UserError
from hepto.given import SourceKind
from hepto.options import BY_NAME, PREFIX, normalise
from hepto.sources import parse_cmdline, quote

if TYPE_CHECKING:
    from image.account import Row
    from image.build import Request

DEFAULT_OUTPUT = Path("build/image")

EXAMPLES = """
\b
Examples:
  hepto build                      into build/image; ten seconds when only Python code changed
  hepto build --output /srv/image  somewhere else
  hepto build --format disk        a disk image that boots by UEFI, its root verified
  hepto build --profile metal --output build/metal   with drivers of servers
  hepto build --format iso --output build/iso        to install servers from a CD or USB stick
  hepto build --set hepto.cluster=demo  for machines of that cluster only
  hepto build --stack DIR          with ready Kubernetes binaries, instead of compiling them (8 minutes)
  hepto build --archive FOLDER     keep the packages that it takes; later, without network, the same again:
  hepto build --locked FOLDER
  hepto build --report             what takes how much space in the image built last
  hepto build --report --svg image.svg   the same as a picture
  hepto build --licences           what is in it under which licence, from its sbom.spdx.json
"""


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _ended_tidily() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block like Ctrl-C: children are stopped and half-made directories removed."""
    before = {number: signal.signal(number, _terminated) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.command("build", epilog=EXAMPLES)
@click.option(
    "--format",
    "formats",
    default="netboot",
    show_default=True,
    metavar="LIST",
    callback=lambda _ctx, _parameter, value: _formats(value),
    help="What to make, separated by commas: netboot (kernel, initrd and root file system, which are always made), "
    "disk (a disk image), uki (all in one file for UEFI), iso (a CD or USB stick that installs; for --profile metal).",
)
@click.option(
    "--disk-type",
    type=click.Choice(["raw", "qcow2"]),
    default="raw",
    show_default=True,
    help="Of the disk image.",
)
@click.option(
    "--profile",
    type=click.Choice(["vm", "metal"]),
    help="What the kernel is for: virtual machines (Debian's cloud kernel), or servers (Debian's full kernel with "
    "drivers of disks, networks and USB).  [default: vm, with --format iso metal]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=DEFAULT_OUTPUT,
    show_default=True,
    help="The directory that the image goes into.",
)
@click.option(
    "--stack",
    type=click.Path(path_type=Path),
    help="A directory of ready Kubernetes binaries.",
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Keep all packages and binaries that the build takes in this folder, with their hashes.",
)
@click.option(
    "--locked",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Take everything from such a folder, checked by hash, without network: the same image, bit for bit.",
)
@click.option(
    "--set",
    "options",
    multiple=True,
    metavar="hepto.NAME=VALUE",
    callback=lambda _ctx, _parameter, value: baked(value),
    help="An option of the node that is baked into the image; every other place outranks it. Repeatable. No secret.",
)
@click.option("--report", is_flag=True, help="Print what is in each byte of the built image; build nothing.")
@click.option(
    "--svg", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Draw the --report as a treemap."
)
@click.option("--licences", is_flag=True, help="Print the licences of what is in the built image; build nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def command(
    formats: tuple[str, ...],
    disk_type: str,
    profile: str | None,
    output: Path,
    stack: Path | None,
    archive: Path | None,
    locked: Path | None,
    options: tuple[str, ...],
    report: bool,
    svg: Path | None,
    licences: bool,
    as_json: bool,
) -> None:
    """Build the image: Debian packages, upstream Kubernetes and hepto as one read-only root, with kernel and stage 0.

    What is slow is kept in the cache ($HEPTO_CACHE, else ~/.cache/hepto) as long as its inputs are the same.
    """
    if svg and not report:
        raise UserError("--svg draws the report", "give --report --svg FILE", ExitCode.USAGE)
    if report:
        _report(output.absolute(), as_json, svg)
        return
    if licences:
        _licences(output.absolute(), as_json)
        return
    if locked and (stack or archive):
        other = "--stack" if stack else "--archive"
        what = f"--locked takes everything from a folder, so {other} has no meaning beside it"
        raise UserError(what, "leave one of them out", ExitCode.USAGE)
    from image.build import Request
    from image.formats import Wish
    from image.profile import PROFILES

    wanted = Request(
        output.absolute(),
        cache_directory(),
        stack=stack and stack.absolute(),
        locked=locked and locked.absolute(),
        archive=archive and archive.absolute(),
        wish=Wish(formats, disk_type),
        words=options,
        profile=PROFILES[chosen_profile(profile, formats)],
    )
    with _ended_tidily():
        _build(wanted, as_json)


def _formats(text: str) -> tuple[str, ...]:
    """A comma list of formats, each once."""
    from image.formats import FORMATS

    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in FORMATS:
            raise UserError(f"--format {text}: {name!r} is no format", f"one of {', '.join(FORMATS)}", ExitCode.USAGE)
    return names


def chosen_profile(given: str | None, formats: tuple[str, ...]) -> str:
    """Its name. An ISO image on a stick is read by a kernel that knows USB."""
    if "iso" not in formats:
        return given or "vm"
    if given not in (None, "metal"):
        what = f"--format iso does not go with --profile {given}, whose kernel knows no USB"
        raise UserError(what, "leave --profile out, or build the ISO image by itself", ExitCode.USAGE)
    return "metal"


def baked(given: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a kernel command line that say the same. Raises UserError with all mistakes."""
    words = []
    for text in given:
        key, _, value = text.partition("=")
        option = BY_NAME.get(normalise(key.removeprefix(PREFIX)))
        if not key.startswith(PREFIX):
            what = f"--set {key} is no option of hepto"
            raise UserError(what, f"options begin with {PREFIX}; “hepto options” lists them", ExitCode.USAGE)
        if option is not None and option.secret:
            raise UserError(
                f"--set {key} would put a secret into an image, where everybody finds it who gets the image",
                "give it to each machine as a credential (docs/boot.md)",
                ExitCode.USAGE,
            )
        words.append(quote(key, value) if "=" in text else key)
    line = " ".join(words).encode()
    resolve(parse_cmdline(line, "--set", SourceKind.IMAGE), key_elsewhere=True).require()
    return tuple(words)


def _build(request: "Request", as_json: bool) -> None:
    from image.build import build

    progress = Progress()
    directory = build(request, progress)
    sizes = {path.name: path.stat().st_size for path in sorted(directory.iterdir())}
    if as_json:
        steps = {step.name: round(step.seconds, 2) for step in progress.steps}
        print_json({"output": str(directory), "bytes": sizes, "seconds": steps})
        return
    total = sum(sizes[name] for name in ("vmlinuz", "initrd.cpio", "root.erofs"))
    print(f"{directory}: {total / 1e6:.0f} MB in {progress.seconds:.1f} s", file=sys.stderr)


def _report(output: Path, as_json: bool, svg: Path | None) -> None:
    from image.report import report

    rows = report(output)
    if svg:
        _draw(rows[:-1], svg)
        return
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    print_table(
        ("file", "part", "package", "piece", "version", "installed KB", "in the file KB"),
        [(*row[:5], f"{row.installed / 1000:.0f}", f"{row.compressed / 1000:.0f}") for row in rows],
    )


def _draw(rows: "Sequence[Row]", target: Path) -> None:
    from image.picture import draw

    try:
        target.write_text(draw(rows))
    except ValueError as error:
        raise UserError(f"there is nothing to draw: {error}", "build the image again with: hepto build") from None
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}", "name another file with --svg") from None


def _licences(output: Path, as_json: bool) -> None:
    from image.report import licence_list

    rows = licence_list(output)
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    print_table(("component", "version", "licence"), rows)
