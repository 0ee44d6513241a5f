from xml.etree import ElementTree as ET

from hepto import svg


def test_the_axis_has_neither_few_nor_many_labels() -> None:
    for seconds in (1.0, 30.0, 60.0, 90.0, 120.0, 3600.0, 7200.0, 86400.0):
        assert 5 <= seconds / svg.tick_distance(seconds) <= svg.MOST_TICKS


def test_pieces_make_a_picture_and_words_are_escaped() -> None:
    pieces = [*svg.head(100, 50), svg.text(1, 2, "0>1 & “x”"), svg.tag("rect", stroke_width=2, d='a"b')]
    root = ET.fromstring("".join([*pieces, *svg.axis(10, left=0, right=100, top=0, floor=40), svg.END]))

    assert root.get("viewBox") == "0 0 100 50"
    assert root[1].text == "0>1 & “x”"
    assert (root[2].get("stroke-width"), root[2].get("d")) == ("2", 'a"b')
    lines = [float(element.get("x1", "")) for element in root.iter("{http://www.w3.org/2000/svg}line")]
    assert (lines[0], lines[-1], len(lines)) == (0.0, 100.0, 11)
