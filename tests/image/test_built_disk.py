"""What a built disk image and a built UKI have to be, looked at with other programs than those that made them."""

import hashlib
import json
import mmap
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from hepto.errors import UserError
from hepto.install.driver import SFDISK
from hepto.install.layout import parse
from image import disk, formats, medium, uki
from image.toolbox import WORK, Toolbox
from image.tree import inside
from init.contract import paths
from tests.image.conftest import Tools

pytestmark = pytest.mark.image

MIB = 1 << 20
ESP, ROOT, HASHES, DATA = (
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
    "2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5",
    "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
)
"""UEFI specification 5.3.3; Discoverable Partitions Specification: root and its hashes for x86-64, Linux' generic."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("disk")


@pytest.fixture(scope="module")
def toolbox(tools: Tools, work: Path) -> Toolbox:
    """Programs of the tree of tools, where partitions are cut out as files."""
    return Toolbox(tools.tree, work, 1)


@pytest.fixture(scope="module")
def reader(tools: Tools, image: Path) -> Toolbox:
    """The same where the image is, for what writes nothing."""
    return Toolbox(tools.tree, image, 1)


@pytest.fixture(scope="module")
def manifest(image: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((image / "manifest.json").read_text())
    return found


@pytest.fixture(scope="module")
def partitions(reader: Toolbox) -> list[dict[str, Any]]:
    """As sfdisk sees them; places and sizes in sectors of 512 bytes."""
    found: list[dict[str, Any]] = json.loads(reader.run("sfdisk", "--json", "disk.raw"))["partitiontable"]["partitions"]
    return found


def cut(image: Path, partition: dict[str, Any], target: Path) -> Path:
    """The partition as a file, in which what is zeros is a hole."""
    with (image / "disk.raw").open("rb") as disk, target.open("wb") as file:
        disk.seek(partition["start"] * 512)
        left = partition["size"] * 512
        while left:
            data = disk.read(min(MIB, left))
            file.seek(len(data), 1) if data.count(0) == len(data) else file.write(data)
            left -= len(data)
        file.truncate(partition["size"] * 512)
    return target


@pytest.fixture(scope="module")
def slot(image: Path, work: Path, partitions: list[dict[str, Any]]) -> tuple[Path, Path]:
    """Root A and its hashes."""
    return cut(image, partitions[1], work / "root"), cut(image, partitions[2], work / "hashes")


def test_the_partitions_are_those_of_the_layout(partitions: list[dict[str, Any]], manifest: dict[str, Any]) -> None:
    version = manifest["version"]
    assert [(part["type"], part["name"]) for part in partitions] == [
        (ESP, paths.ESP_LABEL),
        (ROOT, f"hepto_{version}"),
        (HASHES, f"hepto_{version}_verity"),
        (ROOT, "_empty"),
        (HASHES, "_empty"),
        (DATA, paths.DATA_LABEL),
    ]
    assert len({part["uuid"] for part in partitions}) == len(partitions)
    assert [part.get("attrs", "") for part in partitions[1:5]] == ["GUID:60"] * 4, "read-only"
    assert manifest["disk"]["partitions"][5]["offset"] == partitions[5]["start"] * 512


def test_the_root_hash_names_the_root_s_partitions(partitions: list[dict[str, Any]], manifest: dict[str, Any]) -> None:
    halves = [uuid.UUID(part["uuid"]).hex for part in partitions[1:3]]

    assert "".join(halves) == manifest["disk"]["roothash"]


def test_the_root_is_the_file_that_netboot_has(image: Path, slot: tuple[Path, Path]) -> None:
    size = (image / "root.erofs").stat().st_size
    with slot[0].open("rb") as file, (image / "root.erofs").open("rb") as expected:
        assert file.read(size) == expected.read()


def test_the_other_slot_and_the_data_are_blank(image: Path, partitions: list[dict[str, Any]]) -> None:
    with (image / "disk.raw").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as disk:
        for part in partitions[3:]:
            start = part["start"] * 512
            assert hashlib.sha256(disk[start : start + MIB]).digest() == hashlib.sha256(bytes(MIB)).digest()
    assert (image / "disk.raw").stat().st_blocks * 512 < 300 * MIB, "what is blank takes no room"


def test_the_hashes_are_those_of_the_root(toolbox: Toolbox, slot: tuple[Path, Path], manifest: dict[str, Any]) -> None:
    assert {path.name for path in slot} == {"root", "hashes"}
    toolbox.run("veritysetup", "verify", f"{WORK}/root", f"{WORK}/hashes", manifest["disk"]["roothash"])


def test_a_flipped_bit_is_found(
    toolbox: Toolbox, slot: tuple[Path, Path], manifest: dict[str, Any], work: Path
) -> None:
    shutil.copyfile(slot[0], work / "tampered")
    with (work / "tampered").open("r+b") as file:
        file.seek(100 * MIB)
        byte = file.read(1)[0]
        file.seek(100 * MIB)
        file.write(bytes([byte ^ 1]))

    with pytest.raises(UserError, match="veritysetup failed"):
        toolbox.run("veritysetup", "verify", f"{WORK}/tampered", f"{WORK}/hashes", manifest["disk"]["roothash"])


def test_the_image_s_own_sfdisk_takes_the_data_to_the_end_of_a_larger_disk(
    toolbox: Toolbox, image: Path, root: Path, work: Path, partitions: list[dict[str, Any]]
) -> None:
    """As PID 1 calls it (init/datadisk.py)."""
    size = 3 * 1024 * MIB
    whole = {"start": 0, "size": (image / "disk.raw").stat().st_size // 512}
    grown = cut(image, whole, root / "grown.raw")
    with grown.open("r+b") as file:
        file.truncate(size)

    words = ["/usr/sbin/sfdisk", "--no-reread", "--no-tell-kernel", "-N", "6", "/grown.raw"]
    subprocess.run([*inside(root), *words], input=b",+\n", check=True, stdout=subprocess.DEVNULL)

    grown.rename(work / "grown.raw")
    after = json.loads(toolbox.run("sfdisk", "--json", "grown.raw"))["partitiontable"]["partitions"]
    assert after[:5] == [{**part, "node": part["node"].replace("disk", "grown")} for part in partitions[:5]]
    assert after[5]["start"] == partitions[5]["start"]
    assert size - MIB < (after[5]["start"] + after[5]["size"]) * 512 < size


def test_the_image_s_own_sfdisk_makes_the_same_partitions_for_an_installation(
    toolbox: Toolbox, root: Path, work: Path, partitions: list[dict[str, Any]], manifest: dict[str, Any]
) -> None:
    """As `hepto install` calls it (hepto/install/driver.py), on a larger disk."""
    made = disk.Made(manifest["disk"]["roothash"], tuple(manifest["disk"]["partitions"]))
    files = {part.file: (1, "0") for part in medium.PARTS}
    script = parse(medium.layout(manifest["version"], made, files).encode()).script
    with (root / "installed.raw").open("wb") as file:
        file.truncate(3 * 1024 * MIB)

    subprocess.run([*inside(root), *SFDISK, "/installed.raw"], input=script.encode(), check=True)

    (root / "installed.raw").rename(work / "installed.raw")
    after = json.loads(toolbox.run("sfdisk", "--json", "installed.raw"))["partitiontable"]["partitions"]
    fields = ("type", "name", "start", "attrs")
    assert [[part.get(field) for field in fields] for part in after] == [
        [part.get(field) for field in fields] for part in partitions
    ]
    assert [part["size"] for part in after[:5]] == [part["size"] for part in partitions[:5]]
    assert [part["uuid"] for part in after[1:3]] == [part["uuid"] for part in partitions[1:3]]
    assert not {part["uuid"] for part in after[3:]} & {part["uuid"] for part in partitions}
    assert 3 * 1024 * MIB - 2 * MIB < (after[5]["start"] + after[5]["size"]) * 512 < 3 * 1024 * MIB


def inspect(toolbox: Toolbox, name: str) -> dict[str, Any]:
    """The sections of a UKI."""
    output = toolbox.run("ukify", "inspect", name, "--json=short")
    found: dict[str, Any] = json.loads(output[output.index("{") :])
    return found


def test_the_esp_has_a_boot_loader_and_a_uki_that_names_the_root(
    toolbox: Toolbox, image: Path, work: Path, partitions: list[dict[str, Any]], manifest: dict[str, Any]
) -> None:
    cut(image, partitions[0], work / "esp")
    name = uki.file_name(manifest["version"])
    listed = toolbox.run("mdir", "-/", "-b", "-i", "esp", "::")

    assert {line.removeprefix("::/") for line in listed.splitlines()} >= {
        *("EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi", f"EFI/Linux/{name}", "loader/loader.conf"),
    }
    toolbox.run("mcopy", "-i", "esp", f"::EFI/Linux/{name}", "uki.efi")
    sections = inspect(toolbox, "uki.efi")
    assert sections[".cmdline"]["text"].split()[0] == f"roothash={manifest['disk']['roothash']}"
    assert sections[".uname"]["text"] == manifest["kernel"]
    assert sections[".linux"]["sha256"] == manifest["files"]["vmlinuz"]
    assert (work / "uki.efi").stat().st_size < 40 * MIB


def test_the_one_file_uki_holds_the_root(reader: Toolbox, image: Path, manifest: dict[str, Any]) -> None:
    sections = inspect(reader, formats.UKI_FILE)

    assert "rootfstype=ramfs" in sections[".cmdline"]["text"].split()
    assert sections[".linux"]["sha256"] == manifest["files"]["vmlinuz"]
    assert sections[".initrd"]["size"] > (image / "root.erofs").stat().st_size
