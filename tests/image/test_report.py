import json
from pathlib import Path

import pytest

from hepto.errors import UserError
from image.account import Row
from image.report import Licence, licence_list, report


def test_the_report_ends_with_the_sum(tmp_path: Path) -> None:
    sizes = [Row("r", "p", "stack", "", "v1", 100, 50)._asdict(), Row("r", "p", "libc6", "", "2", 10, 5)._asdict()]
    (tmp_path / "manifest.json").write_text(json.dumps({"sizes": sizes}))

    assert report(tmp_path)[-1] == Row("", "", "sum", "", "", 110, 55)


def test_no_image_is_told_in_two_lines(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no image") as caught:
        report(tmp_path)

    assert "hepto build" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "[]",
        "7",
        "\xff",
        '{"sizes": 7}',
        '{"sizes": [7]}',
        '{"sizes": [{}]}',
        '{"sizes": [{"package": 1}]}',
    ],
)
def test_a_damaged_manifest_is_told_in_two_lines(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))

    with pytest.raises(UserError, match=r"manifest\.json is damaged") as caught:
        report(tmp_path)

    assert "hepto build" in caught.value.hint


def test_licences_are_those_of_the_bill_of_materials_without_files_and_binaries(tmp_path: Path) -> None:
    packages = [
        {"SPDXID": "SPDXRef-image", "name": "hepto-image", "versionInfo": "1", "licenseDeclared": "NOASSERTION"},
        {"SPDXID": "SPDXRef-2", "name": "zlib1g", "versionInfo": "1.3", "licenseDeclared": "Zlib"},
        {"SPDXID": "SPDXRef-1", "name": "k8s.io/api", "versionInfo": "v1", "licenseDeclared": "Apache-2.0"},
        {"SPDXID": "SPDXRef-3", "name": "vmlinuz", "licenseDeclared": "NOASSERTION"},
    ]
    (tmp_path / "manifest.json").touch()
    (tmp_path / "sbom.spdx.json").write_text(json.dumps({"packages": packages}))

    assert licence_list(tmp_path) == [Licence("k8s.io/api", "v1", "Apache-2.0"), Licence("zlib1g", "1.3", "Zlib")]


@pytest.mark.parametrize(
    "text", ["", "[]", "7", '{"packages": 7}', '{"packages": [7]}', '{"packages": [{"versionInfo": 1}]}']
)
def test_a_damaged_bill_of_materials_is_told_in_two_lines(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").touch()
    with pytest.raises(UserError, match=r"has no sbom\.spdx\.json"):
        licence_list(tmp_path)
    (tmp_path / "sbom.spdx.json").write_text(text)

    with pytest.raises(UserError, match=r"sbom\.spdx\.json is damaged"):
        licence_list(tmp_path)
