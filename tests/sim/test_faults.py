import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.errors import ExitCode, UserError
from hepto.sim import faults
from hepto.sim.faults import Kind, MachineFault, Weather, When

kinds = st.sampled_from(Kind)


@pytest.mark.parametrize(
    ("kind", "text", "fault"),
    [
        (Kind.KILL, "30s:7", MachineFault(Kind.KILL, When(30.0), (7,))),
        (Kind.KILL, "30s..1m:7,2", MachineFault(Kind.KILL, When(30.0, 60.0), (2, 7))),
        (Kind.UNPLUG, "500ms:all", MachineFault(Kind.UNPLUG, When(0.5), None)),
        (Kind.PARTITION, "10s..40s:0-4", MachineFault(Kind.PARTITION, When(10.0, 40.0), (0, 1, 2, 3, 4))),
        (Kind.PARTITION, "1s..2s:0>1-2", MachineFault(Kind.PARTITION, When(1.0, 2.0), (0,), towards=(1, 2))),
        (Kind.PAUSE, "10s..70s:1@5s/6s", MachineFault(Kind.PAUSE, When(10.0, 70.0), (1,), share=(5.0, 6.0))),
        (Kind.RENUMBER, "1h:all", MachineFault(Kind.RENUMBER, When(3600.0), None)),
        (Kind.LOSS, "2%", Weather(Kind.LOSS, None, 0.02, 0.02)),
        (Kind.LOSS, "10s..20s:30%", Weather(Kind.LOSS, When(10.0, 20.0), 0.3, 0.3)),
        (Kind.LATENCY, "40ms..300ms", Weather(Kind.LATENCY, None, 0.04, 0.3)),
        (Kind.LATENCY, "1s..2s:50ms", Weather(Kind.LATENCY, When(1.0, 2.0), 0.05, 0.05)),
    ],
)
def test_a_fault_is_read(kind: Kind, text: str, fault: faults.Fault) -> None:
    assert faults.parse(kind, text) == fault


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (Kind.KILL, "30s", "it does not say both when and which nodes"),
        (Kind.KILL, "30:7", "“30” is no time"),
        (Kind.KILL, "30s:seven", "“seven” is no node"),
        (Kind.KILL, "30s:9-3", "the range 9-3 runs backwards"),
        (Kind.KILL, "30s:0-999999", "there are never as many as 999999 nodes"),
        (Kind.KILL, "5s..4s:1", "it ends before it begins"),
        (Kind.KILL, "2000h:1", "2000h is longer than 1000h"),
        (Kind.PARTITION, "10s:7", "it needs a beginning and an end"),
        (Kind.PARTITION, "1s..2s:all", "all nodes have no others"),
        (Kind.RESTART, "1s..2s:7", "it happens at an instant"),
        (Kind.PAUSE, "1s..2s:7@6s/5s", "the pause must be shorter than its period"),
        (Kind.PAUSE, "1s..2s:7@6s", "a share of time is written like 5s/6s"),
        (Kind.LOSS, "2", "“2” is no rate from 0% to 100%"),
        (Kind.LOSS, "101%", "“101%” is no rate"),
        (Kind.LOSS, "5s:2%", "it needs a beginning and an end"),
        (Kind.LATENCY, "300ms..40ms", "the longest latency is shorter than the shortest"),
    ],
)
def test_a_mistake_is_two_lines_that_say_what_and_how(kind: Kind, text: str, reason: str) -> None:
    with pytest.raises(UserError, match=re.escape(reason)) as caught:
        faults.parse(kind, text)

    assert caught.value.code is ExitCode.USAGE
    assert caught.value.what.startswith(f"--{kind} {text}: ")
    assert caught.value.hint.startswith(f"write it like --{kind} ")


def test_every_example_is_an_example() -> None:
    for kind in Kind:
        with pytest.raises(UserError) as caught:
            faults.parse(kind, "?")
        example = caught.value.hint.split()[-1]

        fault = faults.parse(kind, example)

        assert faults.parse(kind, str(fault)) == fault


@given(kind=kinds, text=st.text(alphabet="0123456789.:-,>@/%smhal", max_size=30) | st.text(max_size=10))
def test_any_text_is_a_fault_or_a_user_s_error(kind: Kind, text: str) -> None:
    try:
        fault = faults.parse(kind, text)
    except UserError:
        return
    assert faults.parse(kind, str(fault)) == fault


times = st.integers(0, 3_000_000_000).map(lambda milliseconds: milliseconds / 1000)
ranges = st.frozensets(st.integers(0, 300), min_size=1, max_size=9).map(lambda found: tuple(sorted(found)))
whiles = st.tuples(times, times).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: When(*pair))


@given(when=whiles, nodes=ranges, towards=st.none() | ranges)
def test_a_partition_that_is_written_can_be_read(
    when: When, nodes: tuple[int, ...], towards: tuple[int, ...] | None
) -> None:
    fault = MachineFault(Kind.PARTITION, when, nodes, towards)

    assert faults.parse(Kind.PARTITION, str(fault)) == fault


@given(when=st.none() | whiles, rate=st.integers(0, 10**8).map(lambda parts: round(parts / 10**8, 8)))
def test_weather_that_is_written_can_be_read(when: When | None, rate: float) -> None:
    fault = Weather(Kind.LOSS, when, rate, rate)

    assert faults.parse(Kind.LOSS, str(fault)) == fault


def test_a_node_that_is_not_there_is_named() -> None:
    fault = faults.parse(Kind.KILL, "1s:2,20")

    faults.check_nodes(fault, 21)
    faults.check_nodes(faults.parse(Kind.LOSS, "2%"), 1)
    with pytest.raises(UserError, match="there is no node 20 among 20"):
        faults.check_nodes(fault, 20)


def test_the_time_of_another_option_is_read_and_complained_of_by_its_name() -> None:
    assert faults.parse_time("2m", "--until") == 120.0
    with pytest.raises(UserError, match="--until: “two” is no time"):
        faults.parse_time("two", "--until")
