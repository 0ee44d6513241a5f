import importlib.util
import subprocess
from pathlib import Path

import pytest

from bench import __main__ as everything
from bench import report
from bench.report import Row

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("bench", everything.ALL, ids=lambda bench: bench.name)
def test_each_has_a_module_and_a_make_target(bench: everything.Bench) -> None:
    words = ["make", "--dry-run", "--no-print-directory", f"bench-{bench.name}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)

    assert importlib.util.find_spec(f"bench.{bench.name}") is not None
    assert f"-m bench.{bench.name} " in done.stdout


def test_the_page_is_written_of_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(everything, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(report, "RESULTS", tmp_path / "bench")
    (tmp_path / "docs").mkdir()
    values = [Row(variant, "restart", value, "ms") for variant in ("hepto", "s6") for value in (1.0, 2.0, 3.0)]
    report.finish("supervision", values, ())

    assert everything.main(["--page"]) == 0
    written = (tmp_path / "docs/benchmarks.md").read_text()

    assert written.count("Not measured.") == len(everything.ALL) - 1
    assert (tmp_path / "docs/benchmarks/supervision.svg").read_text().startswith("<svg ")
    assert [path.name for path in (tmp_path / "docs/benchmarks").iterdir()] == ["supervision.svg"]


def test_who_asks_for_what_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        everything.main(["bot"])

    assert "no benchmark bot" in capsys.readouterr().err
