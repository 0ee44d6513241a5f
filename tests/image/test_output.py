from pathlib import Path

import pytest

from hepto.errors import ExitCode, UserError
from image.output import check_space, check_target, replace_directory


def test_an_earlier_build_and_an_empty_or_absent_directory_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "image").mkdir()
    (tmp_path / "image/manifest.json").touch()

    for name in ("absent", "empty", "image"):
        check_target(tmp_path / name)


def test_a_directory_with_something_else_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(UserError, match="hepto did not build") as caught:
        check_target(tmp_path)

    assert caught.value.code is ExitCode.USAGE


def test_the_new_directory_takes_the_old_ones_place(tmp_path: Path) -> None:
    for name in ("new", "image"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)

    replace_directory(tmp_path / "new", tmp_path / "image")

    assert (tmp_path / "image/file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path) -> None:
    check_space(tmp_path, 1)

    with pytest.raises(UserError, match="MB free"):
        check_space(tmp_path, 1 << 60)
