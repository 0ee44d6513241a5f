"""kill -9 of every service at random instants: none stays down, no line is lost."""

from pathlib import Path

import pytest

from tests.kernel.faults.kills import kill_each

pytestmark = pytest.mark.kernel


@pytest.mark.timeout(600)
@pytest.mark.parametrize("times", [4, pytest.param(100, marks=pytest.mark.long)])
def test_no_service_stays_down_and_no_line_is_lost(tmp_path: Path, times: int) -> None:
    tallies = kill_each(tmp_path, times, seed=times)

    for tally in tallies:
        assert (tally.kills, tally.state) == (times, "ready"), tally
        assert tally.starts > times // 2, tally  # a kill may meet a process that is ending already
        assert (tally.lost, tally.wrong) == (0, ()), tally
        assert tally.service == "logger" or tally.lines > times, tally
