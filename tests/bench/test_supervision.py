import pytest

from bench import supervision
from bench.report import Row
from hepto.errors import UserError


def test_restarts_are_milliseconds_and_none_may_be_missing() -> None:
    found = [("kill", 20_500_000), ("kill", 1_000_000)]

    assert supervision.latencies("s6", found, 2) == [20.5, 1.0]
    with pytest.raises(UserError, match="1 of 2"):
        supervision.latencies("s6", [("kill", 1), ("lost", 0)], 2)


def test_an_init_has_two_ranks_of_all_its_kills() -> None:
    rows = [Row("hepto", "restart", float(value), "ms") for value in range(1, 101)]

    assert supervision.summed_up(rows) == [
        Row("hepto", "restart, p50", 50.0, "ms"),
        Row("hepto", "restart, p99", 99.0, "ms"),
    ]
