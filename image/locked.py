"""Keeps what a build takes in a folder, and lets another build take just that: packages and the stack's binaries.

    lock.json   the time of the build, and the SHA-256 of every other file
    pool/       the packages of the image and of the tools that make it, mkosi's among them
    dists/      their index, so that apt takes the folder for a repository of that suite
    stack/      the compiled binaries, and the licences of their modules

Promises: a folder whose files are not those of its lock.json is refused by the first file's name; the folder changes by
one rename when all is there. Compiled binaries are kept and not Go's modules: the compiler gives the same bits for the
same modules (go.sum has their hashes), and a build from the folder needs no compiler.
"""

import datetime
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from hepto.edge.apt import AptRoot, Origin
from hepto.edge.cache import remove_tree, scratch, sync_tree
from hepto.edge.command import run
from hepto.edge.debian import SUITE, Mkosi
from hepto.errors import ExitCode, UserError
from image import spec
from image.inventory import GO_LICENCES
from image.manifest import file_name, paragraphs
from image.output import digest_of, replace_directory

LOCK = "lock.json"
FORMAT = 1
INDEX = f"dists/{SUITE}/main/binary-amd64/Packages"
RELEASE = f"dists/{SUITE}/Release"
STACK = "stack"
AGAIN = "keep the packages of another build with: hepto build --archive FOLDER"


@dataclass(frozen=True)
class Locked:
    """A folder whose files are those of its lock. `built` is the time of its build in seconds of Unix."""

    folder: Path
    built: int
    digest: str

    @property
    def origin(self) -> Origin:
        """The folder as the only place from which packages come."""
        fields = [
            ("Types", "deb"),
            ("URIs", f"file://{quote(str(self.folder))}"),
            ("Suites", SUITE),
            ("Components", "main"),
            # Debian's signature is on an index of everything; here the lock's hashes vouch for each file.
            ("Trusted", "yes"),
        ]
        return Origin("".join(f"{name}: {value}\n" for name, value in fields), self.digest, self.folder)

    @property
    def index(self) -> str:
        """apt's index of the packages."""
        return (self.folder / INDEX).read_text()


def opened(folder: Path) -> Locked:
    """The folder, every file compared with the lock. Raises UserError that names the first file that differs."""
    try:
        text = (folder / LOCK).read_bytes()
    except OSError:
        raise UserError(f"{folder} has no {LOCK}", AGAIN, ExitCode.USAGE) from None
    try:
        value = json.loads(text)
        files, built = {str(name): str(digest) for name, digest in value["files"].items()}, int(value["built"])
        known = value["format"] == FORMAT
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{folder / LOCK} is damaged", AGAIN, ExitCode.USAGE) from None
    if not known or not {INDEX, RELEASE, *(f"{STACK}/{name}" for name in spec.BINARIES)} <= set(files):
        raise UserError(f"{folder / LOCK} is of another version of hepto", AGAIN, ExitCode.USAGE)
    for name, digest in sorted(files.items()):
        path = folder / name
        if ".." in Path(name).parts or not path.is_file():
            raise UserError(f"{folder} lacks {name}, which its {LOCK} names", AGAIN, ExitCode.REFUSED)
        if digest_of(path) != digest:
            raise UserError(
                f"{path} is not the file that {LOCK} names: its SHA-256 is another", AGAIN, ExitCode.REFUSED
            )
    return Locked(folder, built, hashlib.sha256(text).hexdigest())


def check_target(folder: Path) -> None:
    """Refuses to replace anything but an earlier archive. Raises UserError."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / LOCK).exists())):
        hint = "give another folder to --archive, or empty it"
        raise UserError(f"{folder} holds something that hepto did not write", hint, ExitCode.USAGE)


def cached_name(fields: Mapping[str, str]) -> str:
    """What apt calls it in its cache: with the epoch, and the colon after that escaped."""
    return f"{fields['Package']}_{fields['Version'].replace(':', '%3a')}_{fields['Architecture']}.deb"


def index_of(packages: Iterable[tuple[str, str, int, str]]) -> str:
    """apt's index: each package's control text, file, bytes and SHA-256, in the order of the files."""
    blocks = [
        f"{control.strip()}\nFilename: {name}\nSize: {size}\nSHA256: {digest}\n"
        for control, name, size, digest in sorted(packages, key=lambda package: package[1])
    ]
    return "\n".join(blocks)


def release_of(index: str, built: int) -> str:
    """The Release file that vouches for the index."""
    data = index.encode()
    date = datetime.datetime.fromtimestamp(built, datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S UTC")
    name = INDEX.removeprefix(f"dists/{SUITE}/")
    return (
        f"Suite: {SUITE}\nCodename: {SUITE}\nDate: {date}\nArchitectures: amd64\nComponents: main\n"
        f"SHA256:\n {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n"
    )


@dataclass(frozen=True)
class Taken:
    """What a build took: the trees whose packages count, apt's cache of them, and the stack."""

    trees: Sequence[Path]
    cached: Path
    mkosi: Mkosi
    sources: str
    stack: Path
    licences: Mapping[str, str]
    built: int
    digests: Mapping[str, str]  # of packages' files, by Debian's signed lists


def keep(target: Path, taken: Taken) -> Path:
    """Writes the folder. Raises UserError if a package is not in apt's cache any more."""
    check_target(target)
    with scratch(target.parent, f"{target.name}.making") as temporary:
        (temporary / "pool").mkdir()
        for fields in _installed(taken.trees):
            source = taken.cached / cached_name(fields)
            if not source.is_file():
                raise UserError(
                    f"the cache has no {source.name} any more",
                    f"remove {taken.trees[-1].parent} and build again, so that the packages are fetched anew",
                )
            target_file = temporary / "pool" / file_name(fields)
            shutil.copyfile(source, target_file)
            if digest_of(target_file) != taken.digests.get(target_file.name, digest_of(target_file)):
                raise UserError(
                    f"{source} is not the file that Debian's lists name: its SHA-256 is another",
                    "remove it and build again, so that it is fetched anew",
                )
        if taken.mkosi.environment:  # else it is the machine's own
            _fetch_mkosi(temporary, taken.sources)
        index = index_of(_described(temporary, path) for path in (temporary / "pool").iterdir())
        (temporary / INDEX).parent.mkdir(parents=True)
        (temporary / INDEX).write_text(index)
        (temporary / RELEASE).write_text(release_of(index, taken.built))
        (temporary / STACK).mkdir()
        for name in spec.BINARIES:
            shutil.copy(taken.stack / name, temporary / STACK / name)
        licences = json.dumps(dict(taken.licences), indent=1, sort_keys=True) + "\n"
        (temporary / STACK / GO_LICENCES).write_text(licences)
        write_lock(temporary, taken.built)
        sync_tree(temporary)
        replace_directory(temporary, target)
    return target


def write_lock(folder: Path, built: int) -> None:
    """The lock of all files that are in the folder now."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / LOCK)
    files = {str(path.relative_to(folder)): digest_of(path) for path in paths}
    value = {"format": FORMAT, "built": built, "files": files}
    (folder / LOCK).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def _installed(trees: Iterable[Path]) -> list[dict[str, str]]:
    """The packages that dpkg has installed in the trees, but those of our own."""
    found = {}
    for tree in trees:
        for fields in paragraphs((tree / "var/lib/dpkg/status").read_text()):
            if fields.get("Status", "").endswith(" installed") and not fields["Package"].startswith("hepto-"):
                found[file_name(fields)] = fields
    return [found[name] for name in sorted(found)]


def _fetch_mkosi(folder: Path, sources: str) -> None:
    apt = AptRoot(folder / "apt", sources)
    apt.update()
    apt.download(f"mkosi/{SUITE}")
    for path in apt.archives.glob("*.deb"):
        path.rename(folder / "pool" / path.name)
    remove_tree(folder / "apt")


def _described(folder: Path, path: Path) -> tuple[str, str, int, str]:
    control = run(["dpkg-deb", "--field", path])
    return control, str(path.relative_to(folder)), path.stat().st_size, digest_of(path)
