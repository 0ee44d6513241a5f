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
        ({"stop": {"signal": "TERM"}}, "stop.signal"),
        ({"version": 2}, "version 2 is not 1"),
        ({"limits": {"pids_max": True}}, "limits.pids_max"),
    ],
)
def test_impossible_wishes_are_refused(fields: dict[str, object], expected: str) -> None:
    assert any(expected in line for line in mistakes(**fields))


def test_not_a_number_is_no_time() -> None:
    with pytest.raises(BadServiceError):
        parse(b'{"argv": ["/bin/true"], "stop": {"timeout": NaN}}')


def test_an_oversized_file_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(BadServiceError, match="larger than"):
        parse(b" " * (MAX_BYTES + 1))


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_bytes_give_a_service_or_mistakes(data: bytes) -> None:
    try:
        parse(data)
    except BadServiceError as error:
        assert error.mistakes


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.none() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text())
            for name in Service.__dataclass_fields__
        },
    )
)
def test_any_values_in_known_fields_give_a_service_or_mistakes(fields: dict[str, object]) -> None:
    try:
        assert isinstance(parse(json.dumps(fields).encode()), Service)
    except BadServiceError as error:
        assert error.mistakes


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
