"""The power button and the watchdog, on files that stand for devices."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from init.power import FEED, Buttons, Watchdog, has_power_key


class FakePoller:
    """Remembers callbacks; the test calls them."""

    def __init__(self) -> None:
        self.callbacks: dict[int, Callable[[], None]] = {}

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        self.callbacks[descriptor] = callback

    def forget(self, descriptor: int) -> None:
        del self.callbacks[descriptor]


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ("10000000000000 0", True),  # QEMU's ACPI power button
        ("402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe", True),  # QEMU's keyboard has one too
        ("3 0 0 0", False),  # a mouse
        ("0 10000000000000 0", True),
        ("0", False),
        ("", False),
        ("nonsense 0", False),
    ],
)
def test_a_power_key_is_one_bit_of_the_capabilities(capabilities: str, expected: bool) -> None:
    assert has_power_key(capabilities) is expected


def button(root: Path, name: str, capabilities: str) -> None:
    (root / f"sys/class/input/{name}/device/capabilities").mkdir(parents=True)
    (root / f"sys/class/input/{name}/device/capabilities/key").write_text(capabilities)
    (root / "dev/input").mkdir(parents=True, exist_ok=True)
    os.mkfifo(root / f"dev/input/{name}")


def event(kind: int, code: int, value: int) -> bytes:
    return struct.pack("=qqHHi", 0, 0, kind, code, value)


def test_only_the_press_of_a_power_key_counts(tmp_path: Path) -> None:
    button(tmp_path, "event0", "10000000000000 0")
    button(tmp_path, "event1", "0")
    poller, pressed = FakePoller(), list[str]()
    buttons = Buttons(poller, lambda: pressed.append("pressed"), str(tmp_path))
    buttons.scan()
    buttons.scan()
    assert len(poller.callbacks) == 1
    writer = os.open(tmp_path / "dev/input/event0", os.O_WRONLY)
    (callback,) = poller.callbacks.values()
    callback()
    os.write(writer, event(0, 0, 0) + event(1, 30, 1) + event(1, 116, 0))
    callback()
    assert pressed == []
    os.write(writer, event(1, 116, 1))
    callback()
    assert pressed == ["pressed"]
    os.close(writer)
    callback()

    assert poller.callbacks == {}


def test_a_machine_without_input_devices_has_no_button(tmp_path: Path) -> None:
    poller = FakePoller()
    Buttons(poller, lambda: None, str(tmp_path)).scan()

    assert poller.callbacks == {}


def test_the_watchdog_is_fed_in_time_and_never_again_after_it_was_armed(tmp_path: Path) -> None:
    path = tmp_path / "watchdog"
    watchdog = Watchdog(str(path))
    watchdog.open()
    assert (watchdog.descriptor, watchdog.deadline()) == (-1, None)
    path.touch()
    watchdog.open()
    watchdog.feed(0.0)
    watchdog.feed(FEED - 1)
    assert path.read_bytes() == b"\n"
    assert watchdog.deadline() == FEED
    watchdog.feed(FEED)
    assert path.read_bytes() == b"\n\n"
    watchdog.arm(120)
    watchdog.feed(1000.0)

    assert path.read_bytes() == b"\n\n\n"
    assert watchdog.deadline() is None
    os.close(watchdog.descriptor)


def test_a_watchdog_that_is_disarmed_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "watchdog"
    path.touch()
    watchdog = Watchdog(str(path))
    watchdog.open()

    watchdog.disarm()
    watchdog.open()
    watchdog.feed(0.0)
    watchdog.arm(120)

    assert path.read_bytes() == b"V"
    assert (watchdog.descriptor, watchdog.deadline()) == (-1, None)
