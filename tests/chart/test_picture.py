"""The chart as SVG: well-formed, and everything is where it belongs."""

from xml.etree import ElementTree as ET

from hepto.chart import picture
from hepto.chart.boot import What, chart
from hepto.chart.picture import COLOURS, LEFT, LETTER, RIGHT, WIDTH
from tests.chart.example import phase, said, service

NAMESPACE = "{http://www.w3.org/2000/svg}"


def drawn(**more: object) -> ET.Element:
    return ET.fromstring(picture.draw(chart(said(**more), 5000.0, "one")))


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NAMESPACE}text")]


def bars(root: ET.Element, what: What) -> list[tuple[float, float]]:
    """Begin and width of what has its colour, without the legend's."""
    found = [element for element in root.iter(f"{NAMESPACE}rect") if element.get("fill") == COLOURS[what]][1:]
    return [(float(element.get("x", "")), float(element.get("width", ""))) for element in found]


def test_all_of_it_is_named_and_the_times_are_written() -> None:
    found = texts(drawn())

    assert "Boot of one: ready after 36.6 s" in found
    for words in ("modules", "certificates", "service kube-apiserver", "kubelet", "2.37 s + 0.81 s", "after etcd"):
        assert any(words in text for text in found), words


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    scale = (WIDTH - LEFT - RIGHT) / (36.6 * 1.05)
    starts = bars(drawn(), What.START)

    begin, width = starts[5]  # of the apiserver
    assert abs(begin - (LEFT + 10.82 * scale)) < 0.02
    assert abs(width - 13.78 * scale) < 0.02
    assert all(begin + width <= WIDTH - RIGHT + 0.02 for what in What for begin, width in bars(drawn(), what))


def test_no_words_leave_the_paper_or_lie_on_names() -> None:
    services = {"etcd": service(1.0, 2.0, None, ("a-very-long-name", "another-long-name", "third-long-name"), deaths=9)}
    material = said(services=services, phases=[phase("data", 2.0, 36.0, state="failed", error="x" * 300)])
    for root in (drawn(), ET.fromstring(picture.draw(chart(material, 5000.0, "one")))):
        for element in root.iter(f"{NAMESPACE}text"):
            if element.get("font-size") != "11":
                continue
            width, x = len(element.text or "") * LETTER, float(element.get("x", ""))
            left = x - width if element.get("text-anchor") == "end" else x
            assert left >= LEFT - 1
            assert left + width <= WIDTH + 1


def test_words_of_others_cannot_break_it() -> None:
    phases = [phase("data", 2.0, 1.0, state="failed", error="<&\x1b[2J\x00>")]

    assert any("<&[2J>" in text for text in texts(drawn(phases=phases)))
