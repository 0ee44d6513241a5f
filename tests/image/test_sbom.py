import json
from pathlib import Path

import pytest
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from image.goinfo import BuildInfo, Module
from image.licences import Declared
from image.manifest import paragraphs
from image.sbom import (
    IMAGE,
    Component,
    built_using,
    debian_components,
    debian_purl,
    document,
    go_components,
    go_purl,
    reference,
    source_of,
)

STATUS = """\
Package: busybox-static
Status: install ok installed
Architecture: amd64
Source: busybox (1:1.37.0-6)
Version: 1:1.37.0-6+b9
Built-Using: glibc (= 2.41-12+deb13u4)
Homepage: https://busybox.example

Package: libstdc++6
Status: install ok installed
Architecture: amd64
Source: gcc-14
Version: 14.2.0-19
"""
CUSTOM = Declared("LicenseRef-Debian-x-1", {"LicenseRef-Debian-x-1": ("x", "Do what you want.")})


def components() -> list[Component]:
    info = BuildInfo("1.26.8", (Module("github.com/Masterminds/semver", "v3.5.0+incompatible", "h1:a="),))
    return [
        *debian_components(list(paragraphs(STATUS)), {"busybox-static": "ab" * 32}, {"libstdc++6": CUSTOM}, "trixie"),
        *go_components({"stack": ("cd" * 32, info), "ptp": ("ef" * 32, None)}, {}),
    ]


def made(built: int = 1_760_000_000, of: list[Component] | None = None) -> str:
    image = Component(IMAGE, "hepto-image", "0.1.0", Declared(), purpose="OPERATING-SYSTEM")
    return document(image, components() if of is None else of, built)


def test_the_document_is_valid_by_the_spdx_project_s_own_library(tmp_path: Path) -> None:
    path = tmp_path / "sbom.spdx.json"
    path.write_text(made())

    document = parse_file(str(path))

    assert validate_full_spdx_document(document) == []
    assert {package.name for package in document.packages} == {
        *("hepto-image", "busybox-static", "libstdc++6", "glibc", "stack", "ptp", "stdlib"),
        "github.com/Masterminds/semver",
    }


def test_that_library_would_complain(tmp_path: Path) -> None:
    path = tmp_path / "sbom.spdx.json"
    path.write_text(made().replace('"LicenseRef-Debian-x-1"', '"no licence"'))

    assert validate_full_spdx_document(parse_file(str(path))) != []


def test_the_same_components_in_any_order_give_the_same_bytes() -> None:
    assert made() == made(of=components()[::-1])


@pytest.mark.parametrize("change", [made(1), made(of=components()[1:])])
def test_another_content_has_another_namespace(change: str) -> None:
    assert json.loads(change)["documentNamespace"] != json.loads(made())["documentNamespace"]


def test_what_is_linked_in_is_so_related_and_not_a_part_of_its_own() -> None:
    relations = {
        (each["spdxElementId"], each["relationshipType"], each["relatedSpdxElement"])
        for each in json.loads(made())["relationships"]
    }
    glibc = reference("source", "glibc", "2.41-12+deb13u4")
    semver = reference("go", "github.com/Masterminds/semver", "v3.5.0+incompatible")

    assert {
        ("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE),
        (IMAGE, "CONTAINS", "SPDXRef-deb-busybox-static"),
        ("SPDXRef-deb-busybox-static", "STATIC_LINK", glibc),
        ("SPDXRef-binary-stack", "STATIC_LINK", semver),
    } <= relations
    assert not {(IMAGE, "CONTAINS", glibc), (IMAGE, "CONTAINS", semver)} & relations


def test_package_urls_name_type_version_and_source() -> None:
    assert debian_purl("libstdc++6", "1:2.0~rc1+b1", "amd64", "trixie", ("gcc-14", "2.0")) == (
        "pkg:deb/debian/libstdc%2B%2B6@1:2.0~rc1%2Bb1?arch=amd64&distro=trixie&upstream=gcc-14%402.0"
    )
    assert go_purl("github.com/a/b/v2", "v2.0.0+incompatible") == "pkg:golang/github.com/a/b/v2@v2.0.0%2Bincompatible"


def test_the_source_package_is_known_by_name_and_version() -> None:
    one, two = paragraphs(STATUS)

    assert source_of(one) == ("busybox", "1:1.37.0-6")
    assert source_of(two) == ("gcc-14", "14.2.0-19")
    assert source_of({"Package": "sed", "Version": "4.9-2"}) == ("sed", "4.9-2")
    assert (built_using(one), built_using(two)) == ([("glibc", "2.41-12+deb13u4")], [])


def test_two_components_never_share_a_reference() -> None:
    assert reference("deb", "libstdc++6") != reference("deb", "libstdc--6")
    with pytest.raises(ValueError, match="SPDXRef-deb-busybox-static"):
        made(of=components() + components()[1:2])
