"""An apt root beside the machine's own: packages of another Debian suite, verified by Debian's keys.

Promises: nothing on the machine changes; its mirrors and keys are used, and of those only Debian's own archives (no
third party's); what a mirror does not serve is named. The first half is text in, text out; only `AptRoot` touches the
world.
"""

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hepto.edge.cache import remove_tree
from hepto.edge.command import CommandFailedError, run
from hepto.errors import ExitCode, UserError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Archives are known by the suites they serve, for a mirror may have any name.
MAIN_SUITES = frozenset(
    {
        "bullseye",
        "bookworm",
        "trixie",
        "forky",
        "duke",
        "sid",
        "oldoldstable",
        "oldstable",
        "stable",
        "testing",
        "unstable",
    }
)
DEBIAN_KEYS = re.compile(r"/debian-archive-[^/]*$")


@dataclass(frozen=True)
class Source:
    """One archive of apt's configuration."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""  # path, or an armoured key whose lines are joined by newlines

    def stanza(self) -> str:
        """The deb822 form."""
        fields = [
            ("Types", "deb"),
            ("URIs", " ".join(self.uris)),
            ("Suites", " ".join(self.suites)),
            ("Components", " ".join(self.components)),
            ("Signed-By", self.signed_by.replace("\n", "\n ")),
        ]
        return "".join(f"{name}: {value}\n" for name, value in fields if value)


@dataclass(frozen=True)
class Origin:
    """Where packages come from: apt's sources, what stands for them in keys of the cache, and the folder of a `file:`
    repository.
    """

    sources: str
    identity: str
    folder: Path | None = None


def parse_deb822(text: str) -> list[Source]:
    """The enabled binary sources of a `.sources` file."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and name:
                fields[name] += "\n" + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {"no", "false", "0"}:
            continue
        words = {key: tuple(fields.get(key, "").split()) for key in ("uris", "suites", "components")}
        if words["uris"] and words["suites"]:
            found.append(
                Source(words["uris"], words["suites"], words["components"], fields.get("signed-by", "").strip())
            )
    return found


def parse_one_line(text: str) -> list[Source]:
    """The binary sources of a `.list` file."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^#\s]\S*)*)", line)
        if not match:
            continue
        options = dict(option.partition("=")[::2] for option in (match[1] or "").split())
        found.append(Source((match[2],), (match[3],), tuple(match[4].split()), options.get("signed-by", "")))
    return found


def read_sources(root: Path = Path("/")) -> list[Source]:
    """What the machine's apt is configured with."""
    found: list[Source] = []
    etc = root / "etc/apt"
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.is_file() and os.access(path, os.R_OK):
            text = path.read_text(errors="replace")
            found += (
                parse_deb822(text)
                if path.suffix == ".sources"
                else parse_one_line(text)
                if path.suffix == ".list"
                else []
            )
    return found


def debian_archives(sources: Iterable[Source]) -> tuple[Source | None, Source | None]:
    """Debian's main archive and its security archive among the sources, told apart from third parties by suite,
    component and key.
    """
    main = security = None
    for source in sources:
        if "main" not in source.components or (
            source.signed_by.startswith("/") and not DEBIAN_KEYS.search(source.signed_by)
        ):
            continue
        web = tuple(uri for uri in source.uris if not uri.startswith("cdrom:"))
        candidate = replace(source, uris=web, signed_by=source.signed_by or (str(KEYRING) if KEYRING.exists() else ""))
        if web and main is None and MAIN_SUITES & set(source.suites):
            main = candidate
        if (
            web
            and security is None
            and any(re.fullmatch(r"\w+-security|\w+/updates", suite) for suite in source.suites)
        ):
            security = candidate
    return main, security


def sources_for(sources: Iterable[Source], codename: str, *extra: str, components: Sequence[str] = ("main",)) -> str:
    """deb822 text that gives the suites of `codename` (and extra ones) from the machine's own mirrors and keys."""
    main, security = debian_archives(sources)
    if main is None:
        raise UserError(
            "apt on this machine knows no Debian archive",
            "add one to /etc/apt/sources.list.d (main component, signed by the Debian archive keyring)",
            ExitCode.FAILED,
        )
    stanzas = [replace(main, suites=(codename, f"{codename}-updates", *extra), components=tuple(components)).stanza()]
    if security is not None:
        stanzas.append(replace(security, suites=(f"{codename}-security",), components=tuple(components)).stanza())
    return "\n".join(stanzas)


def machine_origin(codename: str) -> Origin:
    """The machine's own mirrors. Raises UserError if it has none."""
    sources = sources_for(read_sources(), codename)
    return Origin(sources, sources)


def explain(output: str) -> UserError:
    """apt's failure as two lines: the suite that is not served, the disk that is full, or the network that is not
    there.
    """
    if missing := re.search(
        r"E: The repository '(\S+) (\S+) Release' (?:does not have a Release file|no longer has)", output
    ):
        return UserError(
            f"the apt mirror of this machine does not serve the suite {missing[2]}",
            "name a mirror that does in /etc/apt/sources.list.d",
            ExitCode.UNREACHABLE,
        )
    if "not signed" in output or "NO_PUBKEY" in output or "EXPKEYSIG" in output:
        return UserError(
            "apt could not verify Debian's signature on a package list",
            "install the current debian-archive-keyring package",
            ExitCode.REFUSED,
        )
    if "No space left" in output or "not have enough free space" in output.replace(
        "You don't have enough", "not have enough"
    ):
        return UserError(
            "no space left on the disk for packages", "make room, or put the cache elsewhere with HEPTO_CACHE"
        )
    if absent := re.search(
        r"E: Unable to locate package (\S+)|E: (?:Release|Version) '\S+' for '(\S+)' was not found", output
    ):
        name = absent[1] or absent[2]
        return UserError(
            f"Debian's archive has no package {name}", "check the machine's apt sources; is the mirror complete?"
        )
    if unmet := re.search(r"unmet dependencies:\n\s*(.*\S)", output):
        return UserError(
            f"apt cannot satisfy {' '.join(unmet[1].split())}",
            "install that package on this machine, or check its apt sources",
        )
    first = (
        next((line for line in output.splitlines() if line.startswith("E:")), "E: no message")
        .removeprefix("E:")
        .strip()
    )
    return UserError(
        f"apt could not reach its mirror: {first}",
        "check the network (and apt's proxy), then try again",
        ExitCode.UNREACHABLE,
    )


class AptRoot:
    """Package lists and downloads in a directory of ours."""

    def __init__(self, directory: Path, sources: str, *, installed: Path | None = None) -> None:
        """`installed` is a dpkg status file: what apt may take for granted. Without it nothing is."""
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise UserError("this machine has no apt", "run on Debian, or install mkosi >= 25 and QEMU >= 10 yourself")
        self.directory = directory.absolute()
        for name in ("parts", "state/lists/partial", "cache/archives/partial"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "parts/debian.sources").write_text(sources)
        status = self.directory / "status"
        status.write_bytes(installed.read_bytes() if installed else b"")
        options = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self.directory / "parts",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State": self.directory / "state",
            "Dir::State::status": status,
            "Dir::State::extended_states": self.directory / "extended",
            "Dir::Cache": self.directory / "cache",
            "Dir::Cache::archives": self.directory / "cache/archives",
            "Debug::NoLocking": "true",
            # Our directories are under a home that apt's own user cannot enter.
            "APT::Sandbox::User": "",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
        }
        # `#clear`: hooks of the machine's configuration act on the machine (its caches, its daemons), so they
        # must not run for us.
        hooks = (
            "APT::Update::Pre-Invoke",
            "APT::Update::Post-Invoke",
            "APT::Update::Post-Invoke-Success",
            "Acquire::IndexTargets::deb::DEP-11",
        )
        lines = [f"#clear {name};" for name in (*hooks, "DPkg::Pre-Install-Pkgs", "DPkg::Post-Invoke")]
        lines += [f'{name} "{value}";' for name, value in options.items()]
        self.configuration = self.directory / "apt.conf"
        self.configuration.write_text("\n".join(lines) + "\n")

    def _apt(self, *words: str, directory: Path | None = None) -> str:
        try:
            return run(
                ["apt-get", "-c", self.configuration, "-q", "-y", *words],
                environment={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
                directory=directory,
            )
        except CommandFailedError as error:
            raise explain(error.output) from error

    def update(self) -> None:
        """Fetches the lists of packages and verifies them."""
        self._apt("update")

    def download(self, *packages: str) -> None:
        """Fetches just these packages (`name` or `name/suite`)."""
        self._apt("download", *packages, directory=self.archives)

    def download_with_dependencies(self, *packages: str) -> None:
        """Fetches these packages and whatever they need that is not `installed`."""
        self._apt("install", "--download-only", "--no-install-recommends", *packages)

    @property
    def archives(self) -> Path:
        """Where the downloads are."""
        return self.directory / "cache/archives"

    def unpack(self, target: Path) -> list[str]:
        """Unpacks all downloads into a tree (no maintainer script runs) and names them."""
        names = []
        for package in sorted(self.archives.glob("*.deb")):
            run(["dpkg-deb", "--extract", package, target])
            names.append(package.name)
        return names


def fetch(target: Path, sources: str, *packages: str) -> None:
    """Just these packages (`name` or `name/suite`), unpacked into `target`/root. Raises UserError."""
    apt = AptRoot(target / "apt", sources)
    apt.update()
    apt.download(*packages)
    apt.unpack(target / "root")
    remove_tree(target / "apt")
