"""Tools newer than the machine's own Debian: mkosi and Go for the image, QEMU for the lab.

Promises: the machine's own tool is used if it is new enough; else Debian's is unpacked into the cache, and nothing on
the machine changes. Works with and without root.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hepto.edge.apt import AptRoot, Origin, fetch, machine_origin, read_sources, sources_for
from hepto.edge.cache import ensure, existing, key_of, locked, remove_tree
from hepto.edge.command import CommandFailedError, run
from hepto.errors import UserError

SUITE = "trixie"  # the suite that images are made of; its mkosi is 25, its QEMU is 10
MKOSI_WANTED = (25,)
QEMU_WANTED = (10,)
# From 1.21 on, go fetches the toolchain that a go.mod asks for.
GO_WANTED = (1, 21)
GO_PACKAGES = ("golang-1.24-go", "golang-1.24-src")  # SUITE's
# Releases older than SUITE that hepto is built on: their QEMU comes from their own backports, for libraries must
# match the machine's.
OLDER = frozenset({"bookworm"})
QEMU_PACKAGES = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios", "ipxe-qemu", "ovmf")
QEMU_FROM_BACKPORTS = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios")
LIBRARIES = "usr/lib/x86_64-linux-gnu"
ANSWER_SECONDS = 120.0
"""Until a tool has said which version it is: Python alone takes half a minute on a machine that is busy enough."""


@dataclass(frozen=True)
class Mkosi:
    """How to run mkosi: argv starts with `prefix`; `environment` is added to ours."""

    prefix: tuple[str, ...]
    environment: dict[str, str]
    version: str


@dataclass(frozen=True)
class Qemu:
    """How to run QEMU: argv starts with `argv`; `environment` is added to ours, for this process only."""

    binary: Path
    data: tuple[Path, ...] = ()  # directories of firmware and option ROMs; none: the binary knows its own
    environment: dict[str, str] = field(default_factory=dict)
    version: tuple[int, ...] = ()
    firmware: Path | None = None  # directory of OVMF, if there is one

    @property
    def argv(self) -> tuple[str, ...]:
        """The binary and where its data are."""
        return (str(self.binary), *(word for directory in self.data for word in ("-L", str(directory))))


def version_of(text: str) -> tuple[int, ...]:
    """The first version number in a tool's answer to --version; () if there is none."""
    match = re.search(r"(?<![\w.])(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def machine_codename(root: Path = Path("/")) -> str:
    """The release this machine runs, as Debian names it; testing and unstable count as the suite that images are made
    of.
    """
    path = root / "etc/os-release"
    fields = dict(line.partition("=")[::2] for line in path.read_text().splitlines()) if path.exists() else {}
    return fields.get("VERSION_CODENAME", "").strip('"') or SUITE


def asked_version(argv: tuple[str, ...], environment: dict[str, str] | None = None) -> tuple[int, ...]:
    """What a tool answers to --version; () if it does not run. Raises UserError if it does not end."""
    return version_of(_answer((*argv, "--version"), environment or {}))


def _answer(words: tuple[str, ...], environment: Mapping[str, str]) -> str:
    try:
        return run(words, environment={**os.environ, **environment}, timeout=ANSWER_SECONDS)
    except (CommandFailedError, OSError):
        return ""
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"“{shlex.join(words)}” did not end in {ANSWER_SECONDS:.0f} s",
            "try again when this machine is less busy; if that does not help, look at that program",
        ) from error


def ensure_mkosi(cache: Path, origin: Origin | None = None) -> Mkosi:
    """mkosi >= 25: the machine's, else trixie's from the cache, else fetched (by default from the mirrors)."""
    own = shutil.which("mkosi")
    if own and (version := asked_version((own,))) >= MKOSI_WANTED:
        return Mkosi((own,), {}, ".".join(map(str, version)))
    origin = origin or machine_origin(SUITE)
    key = key_of(SUITE, origin.identity)
    entry = ensure(cache / "mkosi", key, lambda target: fetch(target, origin.sources, f"mkosi/{SUITE}"))
    environment = {"PYTHONPATH": str(entry / "root/usr/lib/python3/dist-packages")}
    prefix = (sys.executable, "-m", "mkosi")
    version = asked_version(prefix, environment)
    if version < MKOSI_WANTED:
        found = ".".join(map(str, version)) or "one that does not start"
        raise UserError(
            f"mkosi >= {MKOSI_WANTED[0]} is needed and {SUITE} gave {found}",
            f"install a newer mkosi, or remove {entry} and try again",
        )
    return Mkosi(prefix, environment, ".".join(map(str, version)))


def ensure_go(cache: Path) -> dict[str, str]:
    """What to add to the environment so that `go` is one that can fetch toolchains: nothing if the machine's can, else
    what finds Debian's in the cache, fetched if it is not there.
    """
    if shutil.which("go") and _go_version({}) >= GO_WANTED:
        return {}
    origin = machine_origin(SUITE)
    packages = [f"{name}/{SUITE}" for name in GO_PACKAGES]
    key = key_of(SUITE, origin.identity, *GO_PACKAGES)
    entry = ensure(cache / "go", key, lambda target: fetch(target, origin.sources, *packages))
    root = entry / "root/usr/lib/go-1.24"
    return {"PATH": f"{root / 'bin'}:{os.environ.get('PATH', os.defpath)}", "GOROOT": "", "GOTOOLCHAIN": "auto"}


def _go_version(environment: dict[str, str]) -> tuple[int, ...]:
    """What `go version` answers without fetching another; () if it does not run. Raises UserError if it hangs."""
    text = _answer(("go", "version"), {**environment, "GOTOOLCHAIN": "local"})
    return version_of(text.removeprefix("go version go"))


def ensure_qemu(cache: Path) -> Qemu:
    """QEMU >= 10: the machine's, else Debian's from the cache, else fetched with the libraries the machine lacks."""
    own = shutil.which("qemu-system-x86_64")
    if own and (version := asked_version((own,))) >= QEMU_WANTED:
        firmware = Path("/usr/share/OVMF")
        return Qemu(Path(own), (), {}, version, firmware if firmware.is_dir() else None)
    codename = machine_codename()
    backports = f"{codename}-backports" if codename in OLDER else ""
    sources = sources_for(read_sources(), codename, *([backports] if backports else []))
    packages = [f"{name}/{backports}" if backports and name in QEMU_FROM_BACKPORTS else name for name in QEMU_PACKAGES]
    key = key_of(sources, *packages)
    if (entry := existing(cache / "qemu", key)) and not _qemu_in(entry).version:
        # The machine lost a library since, or the entry is damaged: make it again.
        with locked(cache / "qemu/.lock"):
            remove_tree(entry)

    def make(target: Path) -> None:
        apt = AptRoot(target / "apt", sources, installed=Path("/var/lib/dpkg/status"))
        apt.update()
        apt.download_with_dependencies(*packages)
        # A package that the machine has installed (an older OVMF, say) is data we need inside the tree all the same.
        present = {path.name.split("_")[0] for path in apt.archives.glob("*.deb")}
        if missing := [package for package in packages if package.split("/")[0] not in present]:
            apt.download(*missing)
        apt.unpack(target / "root")
        remove_tree(target / "apt")

    qemu = _qemu_in(ensure(cache / "qemu", key, make))
    if qemu.version < QEMU_WANTED:
        found = ".".join(map(str, qemu.version)) or "one that does not start"
        raise UserError(
            f"QEMU >= {QEMU_WANTED[0]} is needed and Debian gave {found}",
            f"install qemu-system-x86 >= {QEMU_WANTED[0]}, then try again",
        )
    return qemu


def _qemu_in(entry: Path) -> Qemu:
    root = entry / "root"
    libraries = [
        root / LIBRARIES,
        *sorted(path for path in (root / LIBRARIES).glob("*") if path.name in {"ceph", "pulseaudio"}),
        root / "lib/x86_64-linux-gnu",
    ]
    environment = {
        "LD_LIBRARY_PATH": ":".join(str(path) for path in libraries if path.is_dir()),
        "QEMU_MODULE_DIR": str(root / LIBRARIES / "qemu"),
    }
    binary = root / "usr/bin/qemu-system-x86_64"
    data = tuple(root / path for path in ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"))
    return Qemu(binary, data, environment, asked_version((str(binary),), environment), root / "usr/share/OVMF")
