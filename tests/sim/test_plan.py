from hepto.sim.faults import Kind, parse
from hepto.sim.plan import Plan

FAULTS = (parse(Kind.KILL, "30s..1m:7"), parse(Kind.PARTITION, "10s..40s:0>1"), parse(Kind.LOSS, "2%"))


def test_the_command_says_everything() -> None:
    plan = Plan(20, 7, 90.5, "wan", FAULTS, strangers=True, exact=True)

    assert plan.command() == (
        "hepto sim --nodes 20 --seed 7 --until 90500ms --profile wan"
        " --kill 30s..1m:7 --partition '10s..40s:0>1' --loss 2% --strangers --exact"
    )


def test_faults_end_when_the_last_one_does_that_ends() -> None:
    assert Plan(20, 7, 90.0, faults=FAULTS).faults_end() == 60.0
    assert Plan(20, 7, 90.0, faults=FAULTS[2:]).faults_end() == 0.0


def test_the_worst_weather_is_found() -> None:
    plan = Plan(20, 7, 90.0, faults=(*FAULTS, parse(Kind.LOSS, "1s..2s:30%")))

    assert plan.worst(Kind.LOSS) == 0.3
    assert plan.worst(Kind.CORRUPT) == 0.0
