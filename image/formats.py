"""Makes the formats that boot by UEFI, from the files of every build: a disk image, a one-file UKI, an ISO image.

Promises: the root is not built again; what is made follows from the inputs and the build's time alone.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image import disk, medium, spec, stage0, tree, uki
from image.profile import Profile
from image.toolbox import WORK, Toolbox

NETBOOT, DISK, UKI, ISO = "netboot", "disk", "uki", "iso"
FORMATS = (NETBOOT, DISK, UKI, ISO)
DISK_TYPES = ("raw", "qcow2")
UKI_FILE = "hepto.efi"
VERITY_ARCHIVE, ROOT_ARCHIVE, MEDIUM_ARCHIVE = "verity.cpio", "root.cpio", "medium.cpio"
RAW = "disk.raw"


@dataclass(frozen=True)
class Wish:
    """What is to be made beside vmlinuz, initrd.cpio and root.erofs."""

    formats: tuple[str, ...] = (NETBOOT,)
    disk_type: str = DISK_TYPES[0]


@dataclass(frozen=True)
class Source:
    """What it is made from: `directory` has vmlinuz, initrd.cpio and root.erofs, and gets the new files."""

    directory: Path
    tools: Path
    packages: Path
    root: Path
    kernel: str
    version: str
    built: int
    profile: Profile


def make(wish: Wish, source: Source) -> dict[str, Any]:
    """Makes them; returns what the manifest says of them."""
    scratch = source.directory / "making"
    found: dict[str, Any] = {}
    if not {DISK, UKI, ISO} & set(wish.formats):
        return found
    scratch.mkdir()
    tools = Toolbox(source.tools, source.directory, source.built)
    shutil.copyfile(source.packages / uki.STUB, scratch / "stub")
    if UKI in wish.formats:
        archive = stage0.embedded(source.directory / "root.erofs", source.root, source.kernel)
        (scratch / ROOT_ARCHIVE).write_bytes(archive)
        _ukify(tools, source, ROOT_ARCHIVE, uki.file_words(), UKI_FILE)
    if {DISK, ISO} & set(wish.formats):
        made = _disk(tools, source)
        found["disk"] = {"roothash": made.roothash, "partitions": list(made.partitions)}
        if ISO in wish.formats:
            _iso(tools, source, made)
        if wish.disk_type == "qcow2" and DISK in wish.formats:
            tools.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", RAW, "disk.qcow2")
        if wish.disk_type == "qcow2" or DISK not in wish.formats:
            (source.directory / RAW).unlink()
    shutil.rmtree(scratch)
    return found


def contents(wish: Wish, packages: Path) -> set[str]:
    """The Debian packages that have files in these formats, beside those of the root; `packages` is their tree."""
    paths: set[str] = set()
    if {DISK, UKI, ISO} & set(wish.formats):
        paths.add(uki.STUB)
    if {DISK, ISO} & set(wish.formats):
        paths.update((uki.LOADER, *spec.VERITY_PROGRAMS, *tree.libraries(packages, spec.VERITY_PROGRAMS)))
    owners = tree.owners_of(packages) if paths else {}
    return {owners[path] for path in paths if path in owners}


def _ukify(tools: Toolbox, source: Source, archive: str, words: tuple[str, ...], output: str) -> None:
    tools.run(
        *uki.ukify(
            kernel=f"{WORK}/vmlinuz",
            release=source.kernel,
            version=source.version,
            stub=f"{WORK}/making/stub",
            initrds=(f"{WORK}/initrd.cpio", f"{WORK}/making/{archive}"),
            words=words,
            output=f"{WORK}/{output}",
        )
    )


def _disk(tools: Toolbox, source: Source) -> disk.Made:
    """Twice over the same definitions, as mkosi does it: the UKI in the ESP holds the root hash, which is known when
    all but the ESP is there."""
    scratch = source.directory / "making"
    (scratch / "repart.d").mkdir()
    esp = scratch / "esp"
    for part in disk.definitions(source.version, f"{WORK}/root.erofs", f"{WORK}/making/esp"):
        (scratch / f"repart.d/{part.name}.conf").write_text(part.text)
    (esp / "EFI/Linux").mkdir(parents=True)
    first = disk.parse(_repart(tools, source.built, "--empty=create", "--size=auto", "--defer-partitions=esp"))
    archive = stage0.verified(source.packages, source.root, source.kernel, source.profile.disks.split())
    (scratch / VERITY_ARCHIVE).write_bytes(archive)
    name = uki.file_name(source.version)
    _ukify(tools, source, VERITY_ARCHIVE, uki.disk_words(first.roothash), f"making/esp/EFI/Linux/{name}")
    _put_loader(source.packages, esp)
    for path in (esp, *esp.rglob("*")):
        _date(path, source)
    _repart(tools, source.built)
    return first


def _iso(tools: Toolbox, source: Source, made: disk.Made) -> None:
    """From the disk image: what `hepto install` writes is what a disk image has."""
    scratch, name = source.directory / "making", medium.label(made.roothash)
    archive = stage0.verified(source.packages, source.root, source.kernel, source.profile.disks.split(), medium.MODULES)
    (scratch / MEDIUM_ARCHIVE).write_bytes(archive)
    # With drivers of all servers it is the largest part of a file system that has a limit.
    tools.run("zstd", "-q", "-19", "-T1", f"making/{MEDIUM_ARCHIVE}")
    _ukify(tools, source, f"{MEDIUM_ARCHIVE}.zst", uki.medium_words(made.roothash, name), "making/medium.efi")
    _date(scratch / "medium.efi", source)
    size = (scratch / "medium.efi").stat().st_size
    for words in medium.fat("making/medium.img", size, "making/medium.efi"):
        tools.run(*words)
    tree, found = scratch / "iso" / medium.FOLDER, {}
    tree.mkdir(parents=True)
    for part in medium.PARTS:
        path = tree / part.file
        _cut(source.directory / RAW, made.partitions[part.place], path)
        found[part.file] = (path.stat().st_size, _digest(path))
    (tree / medium.LAYOUT).write_text(medium.layout(source.version, made, found))
    for path in (*tree.iterdir(), tree, tree.parent):
        _date(path, source)
    tools.run(*medium.xorriso(medium.FILE, name, "making/medium.img", "making/iso"))


def _cut(source: Path, partition: Mapping[str, Any], target: Path) -> None:
    """A partition as a file, up to its last block that is not zeros."""
    start, end, length = int(partition["offset"]), int(partition["offset"]) + int(partition["size"]), 0
    with source.open("rb") as file, target.open("wb") as out:
        at = start
        while (at := _next_data(file.fileno(), at, end)) < end:
            file.seek(at)
            data = file.read(min(1 << 20, end - at))
            kept = len(data.rstrip(b"\0"))
            if kept:
                out.seek(at - start)
                out.write(data[:kept])
                length = at - start + kept
            at += len(data)
        out.truncate(-(-length // medium.BLOCK) * medium.BLOCK)


def _next_data(descriptor: int, at: int, end: int) -> int:
    """Where the file has its next byte that is in no hole, at most `end`."""
    try:
        return min(os.lseek(descriptor, at, os.SEEK_DATA), end) if at < end else end
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return end


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _date(path: Path, source: Source) -> None:
    """Give it the time of the build."""
    os.utime(path, (source.built, source.built))


def _repart(tools: Toolbox, built: int, *words: str) -> str:
    """Creates what is not there yet. Offline: no loop device, so no right to make one is needed."""
    return tools.run(
        *("systemd-repart", "--offline=yes", "--dry-run=no", "--no-pager", "--json=short", *words),
        *(f"--definitions={WORK}/making/repart.d", f"--seed={disk.seed(built)}", f"{WORK}/{RAW}"),
    )


def _put_loader(packages: Path, esp: Path) -> None:
    """systemd-boot where firmware looks on any disk, and where its own tools look for it."""
    for place in ("EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"):
        (esp / place).parent.mkdir(parents=True)
        shutil.copyfile(packages / uki.LOADER, esp / place)
    (esp / "loader").mkdir()
    (esp / "loader/loader.conf").write_text(uki.LOADER_SETTINGS)
