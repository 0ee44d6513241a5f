import json
from pathlib import Path

import pytest

from hepto.cli.main import main
from hepto.cli.sim import BAR_CELLS, MACHINE_FAULTS, WEATHER, bar
from hepto.errors import ExitCode
from hepto.sim import faults

QUICK = ("sim", "--nodes", "5", "--until", "10s", "--seed", "7")


def test_every_kind_of_fault_has_its_option() -> None:
    assert set(MACHINE_FAULTS) == set(faults.MACHINES)
    assert set(WEATHER) == {*faults.RATES, faults.Kind.LATENCY}


def test_figures_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--kill", "1s:3"]) == ExitCode.DONE

    output = capsys.readouterr()
    assert "noticed by all" in output.out
    assert output.err == ""


def test_json_holds_the_figures_and_the_command_of_each_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--json", "--runs", "2", "--loss", "2%"]) == ExitCode.DONE

    first, second = json.loads(capsys.readouterr().out)
    assert (first["seed"], second["seed"]) == (7, 8)
    assert first["command"] == "hepto sim --nodes 5 --seed 7 --until 10s --profile lan --loss 2%"
    assert first["broken"] == []
    assert first["false_deaths"] == 0


def test_several_runs_are_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--runs", "3"]) == ExitCode.DONE

    header, *rows = capsys.readouterr().out.splitlines()
    assert header.startswith("SEED")
    assert [row.split()[0] for row in rows] == ["7", "8", "9"]


def test_a_drawn_seed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--nodes", "2", "--until", "1s", "--json"]) == ExitCode.DONE

    (result,) = json.loads(capsys.readouterr().out)
    assert f"--seed {result['seed']}" in result["command"]


def test_a_broken_promise_fails_and_tells_how_to_see_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sim", "--nodes", "4", "--seed", "7", "--loss", "100%"]

    assert main([*words, "--strangers", "--check"]) == ExitCode.FAILED

    broken, replay = capsys.readouterr().err.splitlines()
    assert broken.startswith("broken: views became equal not at all")
    assert replay == "replay: hepto sim --nodes 4 --seed 7 --until 61s --profile lan --loss 100% --strangers --check"


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    assert main([*QUICK, "--svg", str(tmp_path / "run.svg")]) == ExitCode.DONE

    assert (tmp_path / "run.svg").read_text().startswith("<svg ")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--kill", "1s:9"], "--kill 1s:9: there is no node 9 among 5"),
        (["--loss", "two"], "--loss two: “two” is no rate from 0% to 100%"),
        (["--until", "soon"], "--until: “soon” is no time such as 500ms, 12s, 5m or 1h"),
        (["--check"], "--until 10s: views may differ until 1m"),
    ],
)
def test_a_mistake_is_two_lines(words: list[str], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, *words]) == ExitCode.USAGE

    first, second = capsys.readouterr().err.splitlines()
    assert first == f"hepto: {what}"
    assert second.startswith("       ")


def test_a_bar_is_full_at_the_end() -> None:
    assert bar(0.0) == "░" * BAR_CELLS + "   0%"
    assert bar(1.0) == "█" * BAR_CELLS + " 100%"
