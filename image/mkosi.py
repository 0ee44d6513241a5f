"""Runs mkosi: the tree of tools and the tree of a node's packages, each cached by its inputs.

Promises: the machine's own apt sources and settings are handed in, so no mirror is asked that the machine does not
know;
what fails is told in two lines.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from hepto.edge.apt import Origin, explain, machine_origin
from hepto.edge.cache import ensure, existing, key_of, locked
from hepto.edge.command import CommandFailedError, run
from hepto.edge.debian import SUITE, Mkosi
from hepto.errors import ExitCode, UserError
from image.installed import REPOSITORY, configuration
from image.manifest import archive_digests, installed_packages
from image.profile import VM, Profile

TOOLS = REPOSITORY / "image/tools"
PACKAGES = REPOSITORY / "image/packages"
TREE = "tree"  # Output= of both configurations
PACKAGE_LIST = "packages.json"


def apt_settings() -> str:
    """The machine's settings for fetching (proxies, time checks), without what belongs to its own lists."""
    others = ("Acquire::IndexTargets", "Acquire::Languages", "Acquire::GzipIndexes")
    dump = run(["apt-config", "dump", "Acquire"]) if shutil.which("apt-config") else ""
    lines = [line for line in dump.splitlines() if not line.startswith(others)]
    # A list that cannot be fetched is an error, not a warning after which packages seem not to exist.
    return "\n".join([*lines, 'APT::Update::Error-Mode "any";', ""])


class Builder:
    """mkosi with one cache."""

    def __init__(
        self,
        cache: Path,
        mkosi: Mkosi,
        watch: Callable[[str], None] | None = None,
        origin: Origin | None = None,
        profile: Profile = VM,
    ) -> None:
        """`watch` is told what mkosi is at; packages come from `origin`, else from the machine's mirrors."""
        if re.search(r"\s", str(cache)):
            # It hands apt's hooks file names in a shell's words, unquoted.
            what = f"mkosi cannot work in a directory with white space in its name: {cache}"
            raise UserError(what, "name another with HEPTO_CACHE", ExitCode.USAGE)
        self.cache = cache
        self.mkosi = mkosi
        self.profile = profile
        self._watch = watch or (lambda _line: None)
        self.origin = origin or machine_origin(SUITE)
        # apt keeps in it what it knows of its sources: those of a folder and those of mirrors never meet.
        self.package_cache = cache / ("packages" if self.origin.folder is None else "packages-locked")
        self.settings = apt_settings()

    def tools_key(self) -> str:
        """The key of the tree of tools."""
        return key_of("tools", self.mkosi.version, self.origin.identity, (TOOLS / "mkosi.conf").read_bytes())

    def tree_key(self) -> str:
        """The key of the tree of packages."""
        controls = [path.read_bytes() for path in sorted(PACKAGES.rglob("control"))]
        own = (configuration() / "mkosi.conf").read_bytes()
        return key_of("tree", self.mkosi.version, self.origin.identity, self.profile.kernel, own, *controls)

    def has_tools(self) -> bool:
        """Whether the tree of tools is in the cache."""
        return existing(self.cache / "tools", self.tools_key()) is not None

    def tools(self) -> Path:
        """The tree of tools (mkfs.erofs, apt of the suite); made on first use."""
        return ensure(self.cache / "tools", self.tools_key(), lambda target: self._run(TOOLS, target, ())) / TREE

    def tree(self) -> Path:
        """The directory that holds the tree of packages, whole, and the list of them; made on first use."""
        tools = self.tools()

        def make(target: Path) -> None:
            packages = target / "packages"
            packages.mkdir()
            for source in sorted(path for path in PACKAGES.iterdir() if path.is_dir()):
                run(["dpkg-deb", "--root-owner-group", "--build", source, packages / f"{source.name}_1_all.deb"])
            options = ("--package-directory", str(packages), "--tools-tree", str(tools))
            self._run(configuration(), target, (*options, "--package", self.profile.kernel))
            shutil.rmtree(packages)
            lists = self.package_cache.glob("lib/apt/lists/*_Packages")
            if self.origin.folder is not None:
                lists = self.origin.folder.glob("dists/**/Packages")
            texts = [path.read_text(errors="replace") for path in sorted(lists)]
            status = (target / TREE / "var/lib/dpkg/status").read_text()
            table = installed_packages(status, archive_digests(texts))
            (target / PACKAGE_LIST).write_text(json.dumps(table, indent=1))

        return ensure(self.cache / self.profile.entry("tree"), self.tree_key(), make)

    def _run(self, directory: Path, target: Path, options: Sequence[str]) -> None:
        """One run of mkosi with its configuration in `directory`; the result is in `target`/tree."""
        sandbox = target / "sandbox"
        (sandbox / "etc/apt/sources.list.d").mkdir(parents=True)
        (sandbox / "etc/apt/apt.conf.d").mkdir()
        (sandbox / "etc/apt/sources.list.d/mkosi.sources").write_text(self.origin.sources)
        (sandbox / "etc/apt/apt.conf.d/00hepto").write_text(self.settings)
        workspace, packages, metadata = target / "workspace", self.package_cache, target / "cache"
        for path in (workspace, packages, metadata, self.cache / "logs"):
            path.mkdir(parents=True, exist_ok=True)
        words: list[str | Path] = [*self.mkosi.prefix, "--output-directory", target, "--workspace-directory", workspace]
        words += ["--cache-directory", metadata, "--package-cache-directory", packages, "--sandbox-tree", sandbox]
        if self.origin.folder is not None:  # makes it visible where apt runs
            words += ["--local-mirror", f"file://{self.origin.folder}"]
        log = self.cache / f"logs/mkosi-{directory.name if directory == TOOLS else TREE}.log"
        try:
            # The package cache is shared by both trees, and apt does not expect company in it.
            with locked(self.cache / "packages.lock"):
                settings = self._environment()
                run([*words, *options, "build"], environment=settings, directory=directory, log=log, watch=self._tell)
        except CommandFailedError as error:
            raise explained(error, log) from error
        for path in (sandbox, workspace, metadata):
            shutil.rmtree(path, ignore_errors=True)

    def _tell(self, line: str) -> None:
        self._watch(line.removeprefix("‣").strip())

    def _environment(self) -> dict[str, str]:
        # mkosi reads no configuration of ours from the environment; PATH must hold the sbin folders for its tools.
        path = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        return {**os.environ, **self.mkosi.environment, "PATH": path, "LC_ALL": "C.UTF-8"}


def explained(error: CommandFailedError, log: Path) -> UserError:
    """mkosi's failure in two lines: apt's reason if apt had one, else what the user lacks, else the last line and the
    log.
    """
    if "E: " in error.output:
        return explain(error.output)
    if "No space left on device" in error.output:
        return UserError("no space left on the disk for the image's packages", "make room, or move HEPTO_CACHE")
    if "newuidmap" in error.output or "subuid" in error.output:
        return UserError(
            "mkosi may not make a user namespace for this user",
            "install uidmap and give the user a range in /etc/subuid and /etc/subgid, or run as root",
        )
    lines = [line.removeprefix("‣").strip() for line in error.output.splitlines() if line.startswith("‣")]
    return UserError(f"mkosi failed: {lines[-1] if lines else error.last_line()}", f"its whole output is in {log}")
