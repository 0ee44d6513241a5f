from hepto.errors import ExitCode, PeerError, UserError


def test_exit_codes_are_those_of_the_contract() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "FAILED": 1,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "REFUSED": 4,
    }


def test_a_user_error_is_two_lines() -> None:
    error = UserError("the disk is full", "Free some space.", ExitCode.USAGE)

    assert error.lines() == ("the disk is full", "Free some space.")
    assert error.code is ExitCode.USAGE


def test_a_peer_error_carries_a_reason_that_can_be_counted() -> None:
    assert PeerError("too long", "3 > 2").reason == "too long"
    assert str(PeerError("too long")) == "too long"
