from pathlib import Path

import pytest

from bench import report
from bench.report import Row, Target

ROWS = [Row("ours", "boot", value, "s") for value in (1.0, 3.0, 2.0)] + [Row("theirs", "boot", 4.0, "s")]


def test_a_ratio_of_medians_is_reached_or_missed() -> None:
    assert report.verdict(ROWS, Target("boot", "ours", "theirs", 0.5)).endswith("= 0.50 (target <= 0.50): reached")
    assert report.verdict(ROWS, Target("boot", "ours", "theirs", 0.49)).endswith("MISSED")
    assert report.verdict(ROWS, Target("boot", "ours", 2.0, 1.0)) == "boot: ours / 2 = 1.00 (target <= 1.00): reached"


def test_every_raw_row_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)

    assert len(report.save("x", ROWS).read_text().splitlines()) == 1 + len(ROWS)
