"""A service that is deaf to its stop signal, and steps of its life that an exception cuts off."""

from dataclasses import replace

import pytest

from init.contract.service import Restart, Service, Stop, Type, When
from init.contract.status import State
from init.service import Move, Supervised
from tests.init.test_service import DAEMON, ended, running


def test_who_does_not_end_when_told_to_is_named_when_it_is_killed() -> None:
    service = running(Service(("/bin/x",), stop=Stop(timeout=2.5)))
    service.hold()
    service.told_to_stop(5.0)
    assert service.kill_at == 7.5

    assert service.killed() == f"{service.name}: did not end within 2.5 s, killed"
    assert service.kill_at is None


def test_a_change_that_an_exception_cuts_off_is_made_when_the_file_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(self: Supervised, now: float, *, asked: bool = True) -> None:
        raise MemoryError

    service = running()
    with monkeypatch.context() as patch:
        patch.setattr(Supervised, "restart", refused)
        with pytest.raises(MemoryError):
            service.configure(replace(DAEMON, restart_key="new"), 2.0)
    assert service.move(2.0) is Move.KEEP
    service.configure(replace(DAEMON, restart_key="new"), 3.0)

    assert service.move(3.0) is Move.STOP


@pytest.mark.parametrize("spec", [Service(("/x",), Type.ONESHOT), Service(("/x",), restart=Restart(When.NEVER))])
def test_an_end_that_an_exception_cuts_off_is_gone_through_again(
    spec: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Supervised, state: State, now: float) -> None:
        raise MemoryError

    service = running(spec)
    with monkeypatch.context() as patch:
        patch.setattr(Supervised, "_enter", refused)
        with pytest.raises(MemoryError):
            service.ended(ended(), empty=True, now=2.0)
    assert service.torn
    service.mend(empty=True, now=3.0)

    assert service.state is (State.READY if spec.type is Type.ONESHOT else State.DOWN)
    assert service.move(3.0) is Move.KEEP
