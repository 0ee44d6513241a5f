import json
from pathlib import Path

import pytest

from hepto.errors import UserError
from image.erofs import File
from image.report import Row, report, rows


def file(path: str, size: int, stored: int, number: int) -> File:
    return File(path, 0o100644, size, stored, 1, number)


def test_files_are_summed_by_package_and_hard_links_count_once() -> None:
    files = [file("a", 10, 4, 1), file("b", 20, 4, 2), file("c", 100, 50, 3), file("same-as-c", 100, 50, 3)]

    found = rows(files, lambda path: "one" if path in "ab" else "hepto", {"one": "1.0"})

    assert found == [Row("hepto", "", 100, 50), Row("one", "1.0", 30, 8)]


def test_the_report_ends_with_the_sum(tmp_path: Path) -> None:
    sizes = [Row("stack", "v1", 100, 50)._asdict(), Row("libc6", "2", 10, 5)._asdict()]
    (tmp_path / "manifest.json").write_text(json.dumps({"sizes": sizes}))

    assert report(tmp_path)[-1] == Row("sum", "", 110, 55)


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
