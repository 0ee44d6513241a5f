import re
from xml.etree import ElementTree as ET

import pytest

from image.account import PARTS, Row
from image.picture import COLOURS, HEIGHT, WIDTH, draw, megabytes

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [
    Row("root.erofs", "Kubernetes stack", "stack", "etcd", "v1", 200_000_000, 80_000_000),
    Row("root.erofs", "kernel modules", "linux", "", "6.12", 80_000_000, 27_000_000),
    Row("root.erofs", "other packages", "libc6", "", "2", 3_000_000, 2_000_000),
    Row("root.erofs", "other packages", "lib<x>&", "", "2", 9_000, 5_000),
    Row("root.erofs", "remainder", "headers, padding", "", "", 0, 80_000),
    Row("root.erofs", "other packages", "base-files", "", "2", 0, 0),
]


def rectangles(picture: str) -> list[ET.Element]:
    return list(ET.fromstring(picture).iter(f"{SVG}rect"))


def test_every_row_that_takes_space_is_a_field_that_tells_its_size() -> None:
    titles = [element.text for element in ET.fromstring(draw(ROWS)).iter(f"{SVG}title")]

    assert "stack v1 etcd in root.erofs: 80.0 MB, read 200.0 MB" in titles
    assert "lib<x>& 2 in root.erofs: 5 KB, read 9 KB" in titles
    assert not [title for title in titles if title and "base-files" in title]


def test_fields_and_words_are_inside_the_picture() -> None:
    picture = draw(ROWS)

    for rectangle in rectangles(picture):
        x, y, width, height = (float(rectangle.get(name, "0")) for name in ("x", "y", "width", "height"))
        assert x + width <= WIDTH + 0.01
        assert y + height <= HEIGHT + 0.01
    assert re.search(r">Kubernetes stack\b.*80\.0 MB", picture)


def test_the_same_rows_give_the_same_picture_in_any_order() -> None:
    assert draw(ROWS) == draw(ROWS[::-1])


def test_every_part_has_a_colour() -> None:
    assert len(COLOURS) == len(set(COLOURS)) == len(PARTS)


def test_nothing_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="nothing"):
        draw(ROWS[-1:])


@pytest.mark.parametrize(("size", "words"), [(7, "7 B"), (1499, "1 KB"), (99_999, "100 KB"), (163_900_000, "163.9 MB")])
def test_sizes_are_told_as_people_read_them(size: int, words: str) -> None:
    assert megabytes(size) == words
