import random

import pytest

from bench import gossip_detection


def test_victims_die_in_the_ways_that_were_asked_for_the_same_in_every_run() -> None:
    first = gossip_detection.victims(random.Random(1), 20, 10, 3)
    second = gossip_detection.victims(random.Random(1), 20, 10, 3)

    assert first == second
    assert sorted(kind for _, kind in first) == ["host gone"] * 3 + ["kill -9"] * 10
    assert all(1 <= number <= 20 for number, _ in first)


def test_lists_on_the_command_line_are_separated_by_commas() -> None:
    given = gossip_detection.options(["--systems", "serf,kinship", "--nodes", "3,5"])

    assert given.systems == ["serf", "kinship"]
    assert given.nodes == [3, 5]


def test_an_unknown_system_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gossip_detection.options(["--systems", "raft"])

    assert "no system raft" in capsys.readouterr().err
