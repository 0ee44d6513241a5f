"""The chart on a terminal of 80 columns that knows nothing but ASCII."""

from hepto.chart.boot import chart
from hepto.chart.text import SIGNS, draw
from tests.chart.example import phase, said, service


def lines(**more: object) -> list[str]:
    return draw(chart(said(**more), 5000.0, "one"))


def test_it_fits_a_plain_terminal() -> None:
    services = {"a-service-with-a-name-of-32-chars": service(8.4, 8.5, 9999.0, ())}
    for found in (lines(), lines(services=services), draw(chart({"phases": [phase("x", 90000.0, 80000.0)]}, 2e5))):
        assert max(map(len, found)) < 80
        assert all(line.isascii() for line in found)


def test_each_row_shows_what_was_when_and_how_long_it_took() -> None:
    found = {line.partition(" ")[0]: line for line in lines()}

    assert found["kube-apiserver"] == (
        "kube-apiserver          " + " " * 8 + "..." + "-" * 14 + "#" * 15 + "   10.82  13.78"
    )
    assert found["modules"].split() == ["modules", "==", "2.37", "0.81"]
    assert found["Boot"] == "Boot of one: ready after 36.6 s"


def test_what_takes_no_time_is_seen_and_what_is_not_done_has_no_length() -> None:
    found = {line.split()[0]: line for line in lines(services={"etcd": service(8.4, 8.5, None, ())}) if line}

    assert found["keys"].split()[1:] == ["=", "2.31", "0.01"]
    assert found["etcd"].endswith("8.50      -")


def test_the_signs_are_explained_and_what_is_left_out_is_said() -> None:
    services = {"late": service(4000.0, 4000.1, 4001.0, ())}
    *_, legend, left_out = lines(services=services)

    assert all(f"{sign} {what}" in legend for what, sign in SIGNS.items())
    assert left_out == "1 services came later and are left out"
