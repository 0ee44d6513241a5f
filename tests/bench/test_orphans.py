import pytest

from bench import orphans
from bench.orphans import Storm
from bench.report import Row
from hepto.errors import UserError

SAID = [
    *(("began", 1_000_000_000), ("reaped", 80_000_000), ("processor", 50_000_000)),
    *(("began", 5_000_000_000), ("reaped", 90_000_000), ("processor", 60_000_000)),
]
FOUND = [Storm(1_000_000_000, 80_000_000, 50_000_000), Storm(5_000_000_000, 90_000_000, 60_000_000)]


def test_rounds_are_read_and_none_may_be_missing() -> None:
    assert orphans.storms(SAID, 2) == FOUND
    assert orphans.rows_of("s6", FOUND[:1]) == [Row("s6", "reaped", 80.0, "ms"), Row("s6", "processor", 50.0, "ms")]
    with pytest.raises(UserError, match="1 of 2"):
        orphans.storms([*SAID[:4], ("lost", 1), ("processor", 2)], 2)


def test_an_answer_counts_for_the_storm_that_it_had_to_wait_in() -> None:
    before, across, within, after = 900_000_000, 990_000_000, 1_010_000_000, 1_090_000_000
    pings = [(before, 2_000_000), (across, 20_000_000), (within, 30_000_000), (after, 1_000_000)]

    assert [(row.what, row.value) for row in orphans.answers(pings, FOUND)] == [
        (orphans.AT_REST, 2.0),
        (orphans.GOSSIP, 20.0),
        (orphans.GOSSIP, 30.0),
        (orphans.AT_REST, 1.0),
    ]
