"""What the supervisor takes over from service files (what it does with processes is in tests/kernel)."""

import json
from pathlib import Path

import pytest

from init import cgroups, supervisor
from init.contract.service import Service, parse
from init.contract.status import load_service
from init.directory import Changes
from init.fifos import Fifos
from init.inheritance import GONE, Inherited
from init.poller import Poller
from init.supervisor import Supervisor

GOOD = Service(("/bin/true",)).dump()
OTHER = Service(("/bin/false",)).dump()
POISON = Service(("/bin/poison",)).dump()


@pytest.fixture
def log() -> list[str]:
    """What was logged."""
    return []


@pytest.fixture
def supervised(tmp_path: Path, log: list[str], monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """A supervisor without control groups, whose reader has a defect that POISON brings out."""

    def reader(data: bytes) -> Service:
        if data == POISON:
            raise OverflowError("the poison")
        return parse(data)

    monkeypatch.setattr(supervisor, "parse", reader)
    return Supervisor(
        groups=cgroups.Cgroups(str(tmp_path / "cgroups")),
        fifos=Fifos(str(tmp_path)),
        poller=Poller(),
        status_directory=str(tmp_path),
        deaths_directory=str(tmp_path / "deaths"),
        notify_socket=str(tmp_path / "notify.sock"),
        log=log.append,
    )


def look(**files: bytes) -> Changes:
    """A look that has found all of these new."""
    return Changes(files, frozenset(files))


def test_a_file_that_raises_keeps_no_other_from_being_taken_over(supervised: Supervisor) -> None:
    supervised.apply(look(gone=GOOD), 0.0)
    with pytest.raises(OverflowError, match="the poison"):
        supervised.apply(look(first=GOOD, bad=POISON, last=OTHER), 1.0)

    assert supervised.services["first"].spec == parse(GOOD)
    assert supervised.services["last"].spec == parse(OTHER)
    assert supervised.services["gone"].removed


def test_one_that_raises_again_is_named_in_its_status_and_raises_no_more(
    supervised: Supervisor, log: list[str], tmp_path: Path
) -> None:
    with pytest.raises(OverflowError):
        supervised.apply(look(bad=POISON, good=GOOD), 0.0)
    for now in (1.0, 2.0):
        supervised.apply(look(bad=POISON, good=GOOD), now)

    status = supervised.services["bad"].status()
    assert status.error.startswith("PID 1 cannot take it over: OverflowError: the poison (test_supervisor.py:")
    assert supervised.services["bad"].spec == GONE
    assert supervised.services["good"].status().error == ""
    assert f"service file bad.json: {status.error}" in log
    supervised.publish()
    assert load_service(json.loads((tmp_path / "bad.json").read_bytes())).error == status.error


def test_it_keeps_the_last_good_specification_until_the_file_is_right_again(supervised: Supervisor) -> None:
    supervised.apply(look(one=GOOD), 0.0)
    with pytest.raises(OverflowError):
        supervised.apply(look(one=POISON), 1.0)
    supervised.apply(look(one=POISON), 2.0)
    assert supervised.services["one"].spec == parse(GOOD)
    supervised.apply(look(one=OTHER), 3.0)

    assert supervised.services["one"].spec == parse(OTHER)
    assert supervised.services["one"].error == ""
    with pytest.raises(OverflowError):  # what raised once and was right since may be passing again
        supervised.apply(look(one=POISON), 4.0)


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"restart": {"cap": 10**400}}, "restart.cap: 1000"),
        ({"stop": {"signal": "SIG_BLOCK"}}, "stop.signal: 'SIG_BLOCK' is no signal name"),
        ({"limits": {"memory_max": -5}}, "limits.memory_max: must be 1 or more"),
    ],
)
def test_a_bad_file_keeps_the_last_good_specification_and_says_why(
    supervised: Supervisor, wish: dict[str, object], error: str
) -> None:
    supervised.apply(look(one=GOOD), 0.0)
    supervised.apply(look(one=json.dumps({"argv": ["/bin/true"], **wish}).encode()), 1.0)

    assert supervised.services["one"].spec == parse(GOOD)
    assert supervised.services["one"].error.startswith(error)


@pytest.mark.parametrize("name", ["init", "kernel", "shims"])
def test_names_of_pid_1_s_own_are_no_service_s(supervised: Supervisor, log: list[str], name: str) -> None:
    supervised.apply(look(**{name: GOOD}), 0.0)

    assert name not in supervised.services
    assert log == [f"service file {name}.json ignored: the name is PID 1's own"]


def test_what_the_machine_lacks_is_never_blamed_on_a_file(
    supervised: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(data: bytes) -> Service:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(supervisor, "parse", refused)
        for now in (0.0, 1.0, 2.0):
            with pytest.raises(OSError, match="Too many"):
                supervised.apply(look(one=GOOD), now)
    supervised.apply(look(one=GOOD), 3.0)

    assert (supervised.services["one"].spec, supervised.services["one"].error) == (parse(GOOD), "")


def test_the_last_good_specification_of_the_generation_before_stays_in_force(supervised: Supervisor) -> None:
    supervised.inherited = {"one": Inherited(starts=7, held=True, spec=GOOD.decode())}
    supervised.apply(look(one=b"{", two=b"{"), 0.0)

    one, two = supervised.services["one"], supervised.services["two"]
    assert (one.spec, one.held, one.starts) == (parse(GOOD), True, 7)
    assert one.error.startswith("not JSON")
    assert two.spec == GONE


def test_what_belongs_to_no_service_is_stopped_only_if_the_files_have_been_seen(
    supervised: Supervisor, tmp_path: Path
) -> None:
    group = tmp_path / "cgroups/hepto/ghost"
    group.mkdir(parents=True)
    (group / "cgroup.events").write_text("populated 1\n")

    assert supervised.strays(None, 0.0) is False
    assert supervised.services == {}
    assert supervised.strays(frozenset(), 0.0) is True
    assert supervised.services["ghost"].removed
