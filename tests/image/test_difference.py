from pathlib import Path

import pytest

from tests.image.difference import first_difference


@pytest.mark.parametrize(
    ("change", "name"),
    [("content", "b/c"), ("link", "b/link"), ("missing", "b/c"), ("more", "a"), ("nothing", None)],
)
def test_the_first_file_that_differs_is_named(tmp_path: Path, change: str, name: str | None) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder / "b").mkdir(parents=True)
        (tmp_path / folder / "b/c").write_text("x")
        (tmp_path / folder / "b/link").symlink_to("c")
    two = tmp_path / "two"
    if change == "content":
        (two / "b/c").write_text("y")
    elif change == "link":
        (two / "b/link").unlink()
        (two / "b/link").symlink_to("d")
    elif change == "missing":
        (two / "b/c").unlink()
    elif change == "more":
        (two / "a").touch()

    assert first_difference(tmp_path / "one", two) == name
