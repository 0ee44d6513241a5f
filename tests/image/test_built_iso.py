"""The ISO image for servers, looked at with other programs than the one that made it; a long test builds it."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from hepto.install.layout import Layout, parse
from image import disk, medium
from image.toolbox import Toolbox
from tests import metal
from tests.image.conftest import Tools

pytestmark = [pytest.mark.image, pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def toolbox(tools: Tools) -> Toolbox:
    """Programs of the tree of tools where the image is."""
    return Toolbox(tools.tree, metal.image(), 1)


@pytest.fixture(scope="module")
def tree(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the medium."""
    work = tmp_path_factory.mktemp("iso")
    shutil.copyfile(metal.image() / medium.FILE, work / medium.FILE)
    words = ("xorriso", "-osirrox", "on", "-indev", medium.FILE, "-extract", f"/{medium.FOLDER}", medium.FOLDER)
    Toolbox(tools.tree, work, 1).run(*words)
    (work / medium.FOLDER).chmod(0o755)
    return work / medium.FOLDER


@pytest.fixture(scope="module")
def layout(tree: Path) -> Layout:
    return parse((tree / medium.LAYOUT).read_bytes())


def test_a_stick_has_an_esp_and_a_cd_a_boot_image_for_uefi(toolbox: Toolbox) -> None:
    table = json.loads(toolbox.run("sfdisk", "--json", medium.FILE))["partitiontable"]

    assert table["label"] == "gpt"
    esp = next(part for part in table["partitions"] if part["type"] == disk.TYPES["esp"])
    report = toolbox.run("xorriso", "-indev", medium.FILE, "-report_el_torito", "plain")
    boot = re.search(r"El Torito boot img : +1 +UEFI +y +none +\w+ +\w+ +(\d+) +(\d+)$", report, re.MULTILINE)
    assert boot, report
    assert int(boot[2]) * 4 == esp["start"], "both are the same file system"
    assert int(boot[1]) == esp["size"], "in sectors of 512 bytes; 0 would be: to the end of the volume, where it is not"


def test_its_boot_loader_names_the_root_and_the_medium(toolbox: Toolbox) -> None:
    made = json.loads((metal.image() / "manifest.json").read_text())["disk"]
    label = medium.label(made["roothash"])
    information = toolbox.run("xorriso", "-indev", medium.FILE, "-pvd_info")

    assert re.search(rf"^Volume Id +: {label}$", information, re.MULTILINE)


def test_the_files_are_those_of_the_layout(tree: Path, layout: Layout) -> None:
    for part in layout.partitions:
        if part.file:
            content = (tree / part.file).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (part.bytes, part.sha256), part.file
            assert part.bytes % medium.BLOCK == 0


def test_the_root_is_that_of_netboot_with_its_hashes(tree: Path, layout: Layout, tools: Tools) -> None:
    assert (tree / "root.erofs").read_bytes() == (metal.image() / "root.erofs").read_bytes()
    roothash = json.loads((tree / medium.LAYOUT).read_text())["roothash"]
    (tree / "root").write_bytes((tree / "root.erofs").read_bytes())
    with (tree / "root").open("r+b") as file:
        file.truncate(layout.partitions[1].size)

    Toolbox(tools.tree, tree, 1).run("veritysetup", "verify", "root", "root.verity", roothash)
