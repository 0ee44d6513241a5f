"""The service file: what is written is read back, and any bytes give a Service or the list of mistakes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init.contract.service import (
    MAX_BYTES,
    BadServiceError,
    Limits,
    Ready,
    ReadyKind,
    Restart,
    Scope,
    Service,
    Stop,
    Type,
    Wanted,
    When,
    parse,
    valid_name,
)

FULL = Service(
    argv=("/usr/bin/etcd", "--name", "one"),
    type=Type.DAEMON,
    env={"GOGC": "50"},
    cwd="/tmp",
    user="nobody",
    groups=("tty",),
    capabilities=("CAP_NET_ADMIN",),
    after=("containerd",),
    ready=Ready(ReadyKind.UNIX, "/run/x.sock", 5.0),
    stop=Stop("SIGINT", 3.0, Scope.PROCESS),
    restart=Restart(When.FAILURE, 0.2, 7.0, 8.0),
    limits=Limits(memory_min=1, memory_high=2, memory_max=3, pids_max=4, cpu_weight=5, nofile=6),
    oom_score_adj=-900,
    wanted=Wanted.DOWN,
    restart_key="abc",
)


def mistakes(**fields: object) -> tuple[str, ...]:
    with pytest.raises(BadServiceError) as caught:
        parse(json.dumps({"argv": ["/bin/true"], **fields}).encode())
    return caught.value.mistakes


@pytest.mark.parametrize("service", [FULL, Service(("/bin/true",))], ids=["full", "minimal"])
def test_what_is_dumped_is_parsed_back(service: Service) -> None:
    assert parse(service.dump()) == service


def test_only_argv_is_required() -> None:
    assert parse(b'{"argv": ["/bin/true"]}') == Service(("/bin/true",))
    with pytest.raises(BadServiceError, match="argv: missing"):
        parse(b"{}")


def test_all_mistakes_are_named_at_once() -> None:
    found = mistakes(argv=[1], colour="red", ready={"kind": "soon"}, limits={"pids_max": "many"}, stop=3)

    assert {line.split(":")[0] for line in found} == {"argv", "colour", "ready.kind", "limits.pids_max", "stop"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"argv": ["true"]}, "argv: must begin with an absolute path"),
        ({"argv": []}, "argv: must begin with an absolute path"),
        ({"argv": ["/bin/a", "b\0c"]}, "a NUL character"),
        ({"ready": {"kind": "exit"}}, "ready.kind: exit is only for a oneshot"),
        ({"ready": {"kind": "unix", "target": "x"}}, "ready.target: must be an absolute path"),
        ({"oom_score_adj": 1001}, "oom_score_adj"),
        ({"after": ["../etc"]}, "after: '../etc' is no service name"),
        ({"env": {"A=B": "c"}}, "env: an empty name or one with '='"),
        ({"stop": {"timeout": 0}}, "a time of ready, stop or restart"),
        ({"restart": {"cap": 1e9}}, "a time of ready, stop or restart"),
        ({"restart": {"cap": 10**400}}, "restart.cap: 1000"),
        ({"ready": {"timeout": float("inf")}}, "ready.timeout: inf is not a number"),
        ({"user": "a\0b"}, "a NUL character"),
        ({"user": "\ud800"}, "half a character"),
        ({"stop": {"signal": "TERM"}}, "stop.signal: 'TERM' is no signal name"),
        ({"stop": {"signal": "SIGFOO"}}, "stop.signal: 'SIGFOO' is no signal name"),
        ({"stop": {"signal": "SIG_BLOCK"}}, "stop.signal: 'SIG_BLOCK' is no signal name"),
        ({"stop": {"signal": "SIG_DFL"}}, "stop.signal: 'SIG_DFL' is no signal name"),
        ({"limits": {"memory_max": -5}}, "limits.memory_max: must be 1 or more"),
        ({"limits": {"memory_high": 0}}, "limits.memory_high: must be 1 or more"),
        ({"limits": {"memory_min": -1}}, "limits.memory_min: must be 1 or more"),
        ({"limits": {"pids_max": 0}}, "limits.pids_max: must be 1 or more"),
        ({"limits": {"nofile": -1}}, "limits.nofile: must be 1 or more"),
        ({"limits": {"cpu_weight": 0}}, "limits.cpu_weight: must be 1 or more"),
        ({"limits": {"cpu_weight": 10001}}, "limits.cpu_weight: must be from 1 to 10000"),
        ({"version": 2}, "version 2 is not 1"),
        ({"limits": {"pids_max": True}}, "limits.pids_max"),
    ],
)
def test_impossible_wishes_are_refused(fields: dict[str, object], expected: str) -> None:
    assert any(expected in line for line in mistakes(**fields))


def test_the_least_and_the_most_of_limits_and_real_signals_are_taken() -> None:
    for weight in (1, 10000):
        one = Limits(memory_min=1, memory_high=1, memory_max=1, pids_max=1, cpu_weight=weight, nofile=1)
        assert parse(Service(("/bin/true",), limits=one).dump()).limits == one
    for name in ("SIGTERM", "SIGINT", "SIGQUIT", "SIGRTMIN"):
        assert parse(Service(("/bin/true",), stop=Stop(name)).dump()).stop.signal == name


def test_not_a_number_is_no_time() -> None:
    with pytest.raises(BadServiceError):
        parse(b'{"argv": ["/bin/true"], "stop": {"timeout": NaN}}')


def test_mistakes_can_be_written_to_any_log() -> None:
    (mistake,) = mistakes(**{"\ud800" * 1000: 1})

    assert mistake.startswith("\\ud800\\ud800")
    assert mistake.endswith("…")


def test_deep_nesting_is_a_mistake_like_any_other() -> None:
    """`json.loads` takes what `repr` does not."""
    for depth in range(100, 1200, 50):
        with pytest.raises(BadServiceError):
            parse(b'{"argv": ' + b"[" * depth + b"]" * depth + b"}")


def test_nothing_is_no_service() -> None:
    with pytest.raises(BadServiceError, match="empty, or no file"):
        parse(b"")


def test_an_oversized_file_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(BadServiceError, match="larger than"):
        parse(b" " * (MAX_BYTES + 1))


TEXTS = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=5)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400)])
PLAIN = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(TEXTS, PLAIN, max_size=3)
PARTS = {"ready": Ready, "stop": Stop, "restart": Restart, "limits": Limits}


def values_in(of: type) -> st.SearchStrategy[dict[str, object]]:
    """Any values in some of the fields of a class."""
    return st.dictionaries(st.sampled_from(sorted(of.__annotations__)), VALUES, max_size=4)


def gives_a_service_or_mistakes(data: bytes) -> None:
    try:
        assert isinstance(parse(data), Service)
    except BadServiceError as error:
        assert error.mistakes
        assert str(error).encode()


@given(st.binary() | st.text().map(str.encode) | VALUES.map(json.dumps).map(str.encode))
def test_any_bytes_give_a_service_or_mistakes(data: bytes) -> None:
    gives_a_service_or_mistakes(data)


@given(
    values_in(Service),
    st.sampled_from(sorted(PARTS)).flatmap(lambda name: st.tuples(st.just(name), values_in(PARTS[name]))),
)
def test_any_values_in_known_fields_give_a_service_or_mistakes(
    fields: dict[str, object], part: tuple[str, dict[str, object]]
) -> None:
    gives_a_service_or_mistakes(json.dumps(fields).encode())
    gives_a_service_or_mistakes(json.dumps({**fields, "argv": ["/bin/true"], part[0]: part[1]}).encode())


@pytest.mark.parametrize(
    ("change", "restarts"),
    [
        ({"argv": ("/bin/false",)}, True),
        ({"env": {}}, True),
        ({"restart_key": "def"}, True),
        ({"limits": Limits(nofile=7)}, True),
        ({"limits": Limits(memory_max=9, nofile=6)}, False),
        ({"after": ()}, False),
        ({"ready": Ready()}, False),
        ({"oom_score_adj": 0}, False),
    ],
)
def test_only_what_a_process_is_born_with_restarts_it(change: dict[str, object], restarts: bool) -> None:
    from dataclasses import replace

    assert FULL.restarts(replace(FULL, **change)) is restarts  # type: ignore[arg-type]  # a table of one field each


def test_names() -> None:
    assert valid_name("kube-apiserver")
    assert not any(valid_name(name) for name in ("", "A", "a/b", "x" * 33, "..", "a\n"))
