"""Makes the formats that boot by UEFI, from the files of every build: a disk image and a one-file UKI.

Promises: the root is not built again; what is made follows from the inputs and the build's time alone.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image import disk, spec, stage0, tree, uki
from image.profile import Profile
from image.toolbox import WORK, Toolbox

NETBOOT, DISK, UKI = "netboot", "disk", "uki"
FORMATS = (NETBOOT, DISK, UKI)
DISK_TYPES = ("raw", "qcow2")
UKI_FILE = "hepto.efi"
VERITY_ARCHIVE, ROOT_ARCHIVE = "verity.cpio", "root.cpio"


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
    if not {DISK, UKI} & set(wish.formats):
        return found
    scratch.mkdir()
    tools = Toolbox(source.tools, source.directory, source.built)
    shutil.copyfile(source.packages / uki.STUB, scratch / "stub")
    if UKI in wish.formats:
        archive = stage0.embedded(source.directory / "root.erofs", source.root, source.kernel)
        (scratch / ROOT_ARCHIVE).write_bytes(archive)
        _ukify(tools, source, ROOT_ARCHIVE, uki.file_words(), UKI_FILE)
    if DISK in wish.formats:
        found["disk"] = _disk(tools, source, wish.disk_type)
    shutil.rmtree(scratch)
    return found


def contents(wish: Wish, packages: Path) -> set[str]:
    """The Debian packages that have files in these formats, beside those of the root; `packages` is their tree."""
    paths: set[str] = set()
    if {DISK, UKI} & set(wish.formats):
        paths.add(uki.STUB)
    if DISK in wish.formats:
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


def _disk(tools: Toolbox, source: Source, kind: str) -> dict[str, Any]:
    """Twice over the same definitions, as mkosi does it: the UKI in the ESP holds the root hash, which is known when
    all but the ESP is there."""
    scratch = source.directory / "making"
    (scratch / "repart.d").mkdir()
    esp = scratch / "esp"
    for part in disk.definitions(source.version, f"{WORK}/root.erofs", f"{WORK}/making/esp"):
        (scratch / f"repart.d/{part.name}.conf").write_text(part.text)
    (esp / "EFI/Linux").mkdir(parents=True)
    first = disk.parse(_repart(tools, source.built, "--empty=create", "--size=auto", "--defer-partitions=esp"))
    archive = stage0.verified(source.packages, source.root, source.kernel, source.profile.disks)
    (scratch / VERITY_ARCHIVE).write_bytes(archive)
    name = uki.file_name(source.version)
    _ukify(tools, source, VERITY_ARCHIVE, uki.disk_words(first.roothash), f"making/esp/EFI/Linux/{name}")
    _put_loader(source.packages, esp)
    for path in (esp, *esp.rglob("*")):
        os.utime(path, (source.built, source.built))
    _repart(tools, source.built)
    if kind == "qcow2":
        tools.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "disk.raw", "disk.qcow2")
        (source.directory / "disk.raw").unlink()
    return {"roothash": first.roothash, "partitions": list(first.partitions)}


def _repart(tools: Toolbox, built: int, *words: str) -> str:
    """Creates what is not there yet. Offline: no loop device, so no right to make one is needed."""
    return tools.run(
        *("systemd-repart", "--offline=yes", "--dry-run=no", "--no-pager", "--json=short", *words),
        *(f"--definitions={WORK}/making/repart.d", f"--seed={disk.seed(built)}", f"{WORK}/disk.raw"),
    )


def _put_loader(packages: Path, esp: Path) -> None:
    """systemd-boot where firmware looks on any disk, and where its own tools look for it."""
    for place in ("EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"):
        (esp / place).parent.mkdir(parents=True)
        shutil.copyfile(packages / uki.LOADER, esp / place)
    (esp / "loader").mkdir()
    (esp / "loader/loader.conf").write_text(uki.LOADER_SETTINGS)
