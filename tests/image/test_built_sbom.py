"""The bill of materials of a built image (marker `image`)."""

import hashlib
import json
from pathlib import Path

import pytest
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from image.licences import NOASSERTION
from image.report import licence_list
from image.spec import BINARIES, STACK_PLACES

pytestmark = pytest.mark.image


def test_the_bill_of_materials_is_valid_and_lists_what_the_binaries_and_packages_do(image: Path, root: Path) -> None:
    document = parse_file(str(image / "sbom.spdx.json"))
    manifest = json.loads((image / "manifest.json").read_text())

    assert validate_full_spdx_document(document) == []
    packages = {(package.name, package.version) for package in document.packages}
    assert set(manifest["modules"].items()) <= packages
    debian = {(package["name"], package["version"]) for package in manifest["packages"]}
    assert {row["package"] for row in manifest["sizes"]} & {name for name, _ in debian} <= {
        name for name, _ in packages
    }
    # Of what dpkg had installed only what is in the root is listed.
    assert {name for name, _ in debian - packages} >= {"dpkg", "perl-base", "hepto-no-initramfs"}
    digests = {package.name: package.checksums[0].value for package in document.packages if package.checksums}
    for name in BINARIES:
        assert digests[name] == hashlib.sha256((root / STACK_PLACES[name]).read_bytes()).hexdigest()


def test_most_licences_are_known(image: Path) -> None:
    rows = licence_list(image)
    unknown = [row.component for row in rows if row.licence == NOASSERTION]

    # Debian's Python and GnuTLS have copyright files for people only, and sources that are linked in bring none.
    assert len(rows) > 300
    assert len(unknown) < 25
    assert {"hepto": "Apache-2.0", "k8s.io/kubernetes": "Apache-2.0", "zlib1g": "Zlib"}.items() <= {
        row.component: row.licence for row in rows
    }.items()
