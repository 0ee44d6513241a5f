from pathlib import Path

import pytest

from bench import report
from bench.report import Row, Target
from hepto.errors import ExitCode, UserError

ROWS = [Row("ours", "boot", value, "s") for value in (1.0, 3.0, 2.0)] + [Row("theirs", "boot", 4.0, "s")]


def test_a_ratio_of_medians_is_reached_or_missed() -> None:
    assert report.verdict(ROWS, Target("boot", "ours", "theirs", 0.5)).endswith("= 0.50 (target <= 0.50): reached")
    assert report.verdict(ROWS, Target("boot", "ours", "theirs", 0.49)).endswith("MISSED")
    assert report.verdict(ROWS, Target("boot", "ours", 2.0, 1.0)) == "boot: ours / 2 = 1.00 (target <= 1.00): reached"


@pytest.mark.parametrize(("part", "value"), [(0.5, 10.0), (0.99, 20.0), (0.01, 1.0), (0.0, 1.0)])
def test_a_percentile_is_the_nearest_rank(part: float, value: float) -> None:
    assert report.percentile([float(number) for number in range(20, 0, -1)], part) == value


def test_every_raw_row_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)

    assert len(report.save("x", ROWS).read_text().splitlines()) == 1 + len(ROWS)


def test_what_was_finished_can_be_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    targets = (Target("boot", "ours", "theirs", 0.5), Target("boot", "ours", 2.0, 1.0))

    assert report.load("x") is None
    report.finish("x", ROWS, targets)
    found = report.load("x")
    report.save("x", ROWS[:1])  # the next run has begun

    assert found is not None
    assert list(found.rows) == ROWS
    assert found.verdicts == tuple(report.verdict(ROWS, target) for target in targets)
    assert found.processors >= 1
    assert report.load("x") is None


def test_what_was_not_measured_has_no_verdict() -> None:
    assert report.verdict(ROWS, Target("boot", "ours", "others", 0.5)) == "boot: ours / others: not measured"
    assert report.verdict(ROWS, Target("stop", "ours", 2.0, 0.5)) == "stop: ours / 2: not measured"


def test_it_ends_as_every_command_does(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def main(words: list[str]) -> int:
        if words == ["--bad"]:
            raise UserError("there is no image", "say “make image”", ExitCode.USAGE)
        return len(words)

    for words, code in ((["--bad"], ExitCode.USAGE), (["a", "b", "c"], 3)):
        monkeypatch.setattr("sys.argv", ["bench.x", *words])
        with pytest.raises(SystemExit) as ended:
            report.run(main)
        assert ended.value.code == code

    assert capsys.readouterr().err == "hepto: there is no image\n       say “make image”\n"
