import json
from dataclasses import replace

import pytest

from init.contract.status import (
    Beginning,
    BootStatus,
    LastExit,
    PhaseState,
    PhaseStatus,
    Reason,
    ServiceStatus,
    State,
    Wait,
    encode,
    load_boot,
    load_service,
)

WAIT = Wait(Reason.ROUTER, "eth0", 10.0, "no router has answered", "Check the network")
BEGINNING = Beginning(1.0, 2.0, None, (("etcd", 1.0), ("mesh", 1.5)))
SERVICE = ServiceStatus(State.BACKOFF, 3.0, None, 4, LastExit("signal", 9, 2.5), WAIT, "why")


def test_a_service_status_is_read_back() -> None:
    assert load_service(json.loads(encode(SERVICE))) == SERVICE
    assert load_service(json.loads(encode(ServiceStatus(State.UP, 1.0)))) == ServiceStatus(State.UP, 1.0)
    whole = replace(SERVICE, deaths=2, last_death=LastExit("signal", 9, 2.5, out_of_memory=True), beginning=BEGINNING)
    assert load_service(json.loads(encode(whole))) == whole


def test_a_boot_status_is_read_back() -> None:
    boot = BootStatus(
        (PhaseStatus("data", PhaseState.FAILED, 1.0, 0.5, "broken", WAIT), PhaseStatus("late")), "id", "disk", 2
    )

    assert load_boot(json.loads(encode(boot))) == boot
    assert boot.phase("data") == boot.phases[0]
    assert boot.phase("none") is None


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"state": "odd", "since": 0},
        {"state": "up"},
        {"state": "up", "since": 0, "last_exit": {"x": 1}},
        {"state": "up", "since": 0, "beginning": {"known": 1}},
    ],
)
def test_a_strange_status_is_a_value_error(value: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        load_service(value)


@pytest.mark.parametrize("value", [{}, {"phases": 3}, {"phases": [{}]}])
def test_a_strange_boot_status_is_a_value_error(value: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        load_boot(value)


def test_the_line_says_what_since_when_and_what_to_do() -> None:
    assert WAIT.line(22.9) == "waiting for router eth0, 12 s: no router has answered. Check the network"
    assert Wait(Reason.CLOCK, "", 5.0).line(4.0) == "waiting for clock, 0 s"
