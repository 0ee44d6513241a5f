"""Twenty thousand inputs with every run of the tests, many more with the long ones; `make fuzz` runs a million."""

import pytest

from hepto.gossip import codec
from hepto.gossip.messages import Ping
from tests.fuzz import backups
from tests.fuzz.__main__ import main
from tests.fuzz.corpus import SETTINGS
from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS

COUNT = 1250


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(8, 100))])
@pytest.mark.parametrize("target", TARGETS)
def test_any_input_is_a_value_or_a_named_reason(target: str, seed: int) -> None:
    for _, finding in fuzz(target, COUNT, seed):
        assert finding is None, f"python -m tests.fuzz --replay {target}:{finding.settings}:{finding.data.hex()}"


@pytest.mark.parametrize("target", TARGETS)
def test_changes_reach_what_is_behind_the_layers(target: str) -> None:
    outcomes = {outcome for outcome, _ in fuzz(target, COUNT, 1)}

    assert len(outcomes) > 25
    assert outcomes & {"Alive", "PushPull"}


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_seed_gives_the_same_inputs(target: str) -> None:
    assert list(fuzz(target, 200, 7)) == list(fuzz(target, 200, 7))
    assert list(fuzz(target, 200, 7)) != list(fuzz(target, 200, 8))


@pytest.mark.parametrize("settings", SETTINGS)
def test_an_input_is_replayed_by_one_command(settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = SETTINGS[settings].seal((codec.encode(Ping(7)),))

    assert main(["--replay", f"packet:{settings}:{data.hex()}"]) == 0
    assert capsys.readouterr().out == "Ping\n"


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 40))])
@pytest.mark.parametrize("target", backups.TARGETS)
def test_any_backup_is_one_or_is_refused_for_a_named_reason(target: str, seed: int) -> None:
    outcomes = backups.fuzz(target, 400, seed)

    assert len(outcomes) > 4


def test_a_backup_is_replayed_by_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    (data,) = backups.seeds("archive")

    assert main(["--replay", f"archive:none:{data.hex()}"]) == 0
    assert capsys.readouterr().out == "whole\n"
