"""The real-time clock's bytes and its order to the kernel; that of the machine that runs the tests is never set."""

import fcntl
import os
import struct
from pathlib import Path

import pytest

from hepto.edge import rtc


@pytest.mark.parametrize(
    ("unix", "expected"),
    [
        (0.4, (0, 0, 0, 1, 0, 70, 4, 0, 0)),  # a Thursday
        (1_709_210_096.5, (56, 34, 12, 29, 1, 124, 4, 59, 0)),  # 2024-02-29 12:34:56 UTC
        (1_709_424_000.0, (0, 0, 0, 3, 2, 124, 0, 62, 0)),  # a Sunday
    ],
)
def test_the_fields_are_those_of_the_kernel_in_utc(unix: float, expected: tuple[int, ...]) -> None:
    assert struct.unpack("=9i", rtc.fields(unix)) == expected


def test_it_is_set_by_one_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "rtc0"
    device.touch()
    orders: list[tuple[str, int, bytes]] = []
    opened: list[int] = []

    def ioctl(descriptor: int, request: int, data: bytes) -> None:
        opened.append(descriptor)
        orders.append((os.readlink(f"/proc/self/fd/{descriptor}"), request, data))

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    monkeypatch.setattr(rtc, "DEVICE", str(device))

    rtc.write(1_709_210_096.0)

    assert orders == [(str(device), rtc.RTC_SET_TIME, rtc.fields(1_709_210_096.0))]
    with pytest.raises(OSError):
        os.fstat(*opened)


def test_what_is_no_clock_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()

    for name in ("absent", "file"):
        monkeypatch.setattr(rtc, "DEVICE", str(tmp_path / name))
        with pytest.raises(OSError):
            rtc.write(0.0)
