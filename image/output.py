"""Writes what a build gives: kernel, stage 0 and root, other formats, sbom.spdx.json, manifest.json, SHA256SUMS.

Promises: the target directory changes by one rename when everything is written and synced, and a directory that holds
something else is never touched.
"""

import hashlib
import json
import mmap
import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypedDict

from hepto.edge.cache import remove_tree, scratch, sync_directory, sync_tree
from hepto.edge.command import CommandFailedError, run
from hepto.errors import ExitCode, UserError
from image import account, binaries, formats, initrd, inventory, sbom, spec, stage0, tree
from image.account import Row
from image.erofs import Image
from image.installed import version
from image.manifest import Package, checksums, with_files
from image.mkosi import PACKAGE_LIST
from image.profile import Profile
from image.report import MANIFEST

# Processor time and size measured with clusters of 32 KiB: level 4 takes 3.4 s for 147 MB, 6 4.8 s for 146, 9 8.8 s for
# 145; 12 took six times as long as 9. Clusters of 16 KiB give 4 % more, of 64 KiB 3 % less, but then every page fault
# into the stack's 186 MB decompresses twice as much.
EROFS_OPTIONS = ("-zlz4hc,4", "-C32768", "-Eztailpacking")
MKFS_SECONDS = 900.0


class Manifest(TypedDict):
    """What manifest.json says before the files are there."""

    format: int
    version: str
    built: int
    kernel: str
    profile: str
    packages: list[Package]
    stack: dict[str, str]
    modules: dict[str, str]


class Steps(Protocol):
    """Shows what is going on; the command line has one."""

    def step(self, name: str) -> AbstractContextManager[None]:
        """Surrounds a piece of work that takes a while."""

    def detail(self, text: str) -> None:
        """What that work is at."""


@dataclass(frozen=True)
class Parts:
    """The trees of tools and packages, the finished root with its files' packages, the manifest without digests."""

    tools: Path
    packages: Path
    root: Path
    details: Manifest
    owners: dict[str, str]
    licences: dict[str, str]  # of Go modules
    profile: Profile


def check_target(directory: Path) -> None:
    """Refuses a directory that holds anything but an earlier build."""
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory} is no directory", "give another --output", ExitCode.USAGE)
    if directory.is_dir() and any(directory.iterdir()) and not (directory / MANIFEST).exists():
        raise UserError(
            f"{directory} holds something that hepto did not build",
            "give another --output, or empty it",
            ExitCode.USAGE,
        )


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(stack: Path, packages: Path, built: int, profile: Profile) -> Manifest:
    """The manifest without the digests of the files; `packages` is the cached stage with mkosi's tree in it."""
    found: dict[str, str] = {}
    for name in spec.BINARIES:
        found.update(binaries.modules_of((stack / name).read_bytes()))
    status = (packages / "tree/var/lib/dpkg/status").read_text()
    return {
        "format": 1,
        "version": version(),
        "built": built,
        "kernel": tree.kernel_version(packages / "tree"),
        "profile": profile.name,
        "packages": with_files(json.loads((packages / PACKAGE_LIST).read_text()), status),
        "stack": {name: found.get(module, "unknown") for name, module in binaries.NAMED.items()},
        "modules": dict(sorted(found.items())),
    }


def make_erofs(tools: Path, root: Path, target: Path, built: int) -> None:
    """The root as one EROFS. mkfs.erofs runs with its own tree's libraries: no root, no namespace."""
    libraries = tools / spec.LIBRARIES
    linker = libraries / "ld-linux-x86-64.so.2"
    words: list[str | Path] = [linker, "--library-path", libraries, tools / "usr/bin/mkfs.erofs", *EROFS_OPTIONS]
    # The identifier follows from the time, for nothing of a build may be drawn by lot.
    words += ["-L", spec.LABEL, "-U", str(uuid.uuid5(uuid.NAMESPACE_URL, f"hepto:{built}")), "-T", str(built)]
    check_space(target.parent, sum(path.lstat().st_size for path in root.rglob("*")) // 2)
    # With this variable it clamps the files' own times instead of setting them, whatever -T says: then those of the
    # cache's files, and how long the inodes are, would depend on when they were made.
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    try:
        run([*words, "--all-root", "-x-1", "--quiet", target, root], timeout=MKFS_SECONDS, environment=environment)
    except CommandFailedError as error:
        raise UserError(f"mkfs.erofs failed: {error.last_line()}", "see the message; is the cache whole?") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"mkfs.erofs did not end in {MKFS_SECONDS:.0f} s", "is the disk full or broken?") from error


def check_space(directory: Path, wanted: int) -> None:
    """Complains before a disk is full. mkfs.erofs 1.8 with threads does not fail then: it waits for ever."""
    free = shutil.disk_usage(directory).free
    if free < wanted:
        raise UserError(
            f"{directory.parent} has {free / 1e6:.0f} MB free, and the image may need {wanted / 1e6:.0f}",
            "make room, or give another --output",
        )


def write(target: Path, parts: Parts, wish: formats.Wish, steps: Steps) -> Path:
    """Writes all files into a directory beside the target, then renames it."""
    kernel = parts.details["kernel"]
    with scratch(target.parent, f"{target.name}.making") as temporary:
        with steps.step("Root file system"):
            make_erofs(parts.tools, parts.root, temporary / "root.erofs", parts.details["built"])
        with steps.step("Stage 0"):
            shutil.copyfile(parts.packages / f"boot/vmlinuz-{kernel}", temporary / "vmlinuz")
            (temporary / "initrd.cpio").write_bytes(stage0.plain(parts.root, kernel))
        made = make_formats(temporary, parts, wish, steps)
        with steps.step("Checksums"):
            digests = {path.name: digest_of(path) for path in sorted(temporary.iterdir())}
            contents = set(parts.owners.values()) | formats.contents(wish, parts.packages)
            bill = inventory.bill(parts.details, (parts.packages, parts.root), contents, parts.licences, digests)
            (temporary / sbom.FILE).write_text(bill)
            digests[sbom.FILE] = digest_of(temporary / sbom.FILE)
            sizes = [row._asdict() for row in measure(temporary, parts)]
            details = {**parts.details, **made, "files": digests, "sizes": sizes}
            text = json.dumps(details, indent=1, sort_keys=True) + "\n"
            (temporary / MANIFEST).write_text(text)
            digests[MANIFEST] = hashlib.sha256(text.encode()).hexdigest()
            (temporary / "SHA256SUMS").write_text(checksums(digests))
            sync_tree(temporary)
            replace_directory(temporary, target)
    return target


def make_formats(directory: Path, parts: Parts, wish: formats.Wish, steps: Steps) -> Mapping[str, object]:
    """The formats that are made from the files in `directory`; what the manifest says of them."""
    others = [name for name in wish.formats if name != formats.NETBOOT]
    if not others:
        return {}
    copies = 5 if formats.ISO in others else 3
    check_space(directory, copies * (directory / "root.erofs").stat().st_size)
    with steps.step(f"Formats {', '.join(others)}"):
        details = parts.details
        return formats.make(
            wish,
            formats.Source(
                directory,
                parts.tools,
                parts.packages,
                parts.root,
                details["kernel"],
                details["version"],
                details["built"],
                parts.profile,
            ),
        )


def measure(directory: Path, parts: Parts) -> list[Row]:
    """What takes how much space in kernel, stage 0 and root."""
    details, kernel = parts.details, f"linux-image-{parts.details['kernel']}"
    versions = {package["name"]: package["version"] for package in details["packages"]}
    versions |= {"hepto": details["version"], "stack": details["stack"]["kubernetes"]}
    found = account.whole("vmlinuz", (directory / "vmlinuz").stat().st_size, account.KERNEL, kernel)
    archive = (directory / "initrd.cpio").read_bytes()
    owner = account.stage0_owner(parts.owners, details["kernel"])
    found += account.initrd_rows("initrd.cpio", len(archive), initrd.read(archive), owner)
    with (directory / "root.erofs").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        entries = Image(data).everything()
        found += account.root_rows("root.erofs", len(data), entries, lambda path: tree.package_of(path, parts.owners))
    return account.finished(found, versions)


def replace_directory(new: Path, target: Path) -> None:
    """Puts `new` in the target's place. Between the two renames there is no target, never half of one."""
    old = target.parent / f".{target.name}.old-{os.getpid()}"
    remove_tree(old)
    if target.exists():
        target.rename(old)
    new.rename(target)
    sync_directory(target.parent)
    remove_tree(old)
