import pytest

from init.contract import boots
from init.contract.boots import UNKNOWN, Record

RECORD = Record("id", 1_700_000_000.0, 120.5, said={"phases": [], "services": {"etcd": {"state": "ready"}}})


def test_a_record_is_read_back() -> None:
    whole = Record("id", 1.0, 2.0, "reboot", watchdog=True, last=3.5)

    assert boots.decode(boots.encode(RECORD)) == RECORD
    assert boots.decode(boots.encode(whole)) == whole


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"boot_id": 1, "began": "x"}', b"\xff"])
def test_what_is_none_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        boots.decode(data)


@pytest.mark.parametrize(
    ("ended", "watchdog", "is_orderly", "end"),
    [
        ("poweroff", False, True, "it was ended by a poweroff"),
        ("reboot", False, True, "it was ended by a reboot"),
        ("reboot", True, True, "it was ended by a reboot"),
        ("poweroff", True, False, "the watchdog has reset the machine during a poweroff"),
        ("", True, False, "the watchdog has reset the machine"),
        ("", False, False, UNKNOWN),
    ],
)
def test_an_end_is_orderly_if_somebody_wanted_it(ended: str, watchdog: bool, is_orderly: bool, end: str) -> None:
    record = Record("id", 1.0, 2.0, ended, watchdog)

    assert (record.is_orderly, record.end) == (is_orderly, end)
