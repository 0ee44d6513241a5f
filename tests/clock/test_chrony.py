import pytest

from hepto.clock import chrony
from init.contract.service import parse


def test_servers_of_the_user_take_the_place_of_the_pool() -> None:
    usual = chrony.configuration((), "/data").decode()
    own = chrony.configuration(("ntp.example.org", "2001:db8::123"), "/data").decode()

    assert f"pool {chrony.POOL} " in usual
    assert "pool" not in own
    assert "server ntp.example.org iburst\nserver 2001:db8::123 iburst\n" in own
    assert "driftfile /data/chrony.drift\n" in own


def test_nobody_is_served() -> None:
    lines = chrony.configuration((), "/data").decode().splitlines()

    assert {"cmdport 0", "port 0"} <= set(lines)
    assert not any(line.startswith("allow") for line in lines)
    assert "-6" in chrony.service(b"").argv


def test_the_service_file_is_one_and_another_configuration_restarts_it() -> None:
    one, other = chrony.service(b"one"), chrony.service(b"other")

    assert parse(one.dump()) == one
    assert one.restarts(other)


NORMAL = b"C0000201,192.0.2.1,3,1700000000.1,0.00001,0.00002,0.00003,-1.5,0.001,0.02,0.01,0.002,64.2,Normal\n"


def test_the_leap_status_says_whether_ntp_has_set_the_clock() -> None:
    now = 1_700_000_060.0

    assert chrony.synchronised(NORMAL, now)
    assert chrony.synchronised(NORMAL.replace(b"Normal", b"Insert second"), now)
    assert not chrony.synchronised(NORMAL.replace(b"Normal", b"Not synchronised"), now)
    assert not chrony.synchronised(b"", now)
    assert not chrony.synchronised(b"506 Cannot talk to daemon\n", now)


@pytest.mark.parametrize("years", [-10, 10])
def test_an_old_update_says_nothing_of_a_clock_that_somebody_has_set_since(years: int) -> None:
    assert not chrony.synchronised(NORMAL, 1_700_000_060.0 + years * 366 * 86400)
    assert not chrony.synchronised(NORMAL.replace(b"1700000000.1", b"x"), 1_700_000_060.0)
