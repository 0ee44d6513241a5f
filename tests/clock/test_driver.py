"""The driver carries effects out; the clock of the machine that runs the tests is never set."""

import asyncio
import time

import pytest

from hepto.clock import machine
from hepto.clock.driver import ClockDriver
from hepto.clock.floor import Floor
from hepto.clock.machine import ClockMachine
from hepto.clock.model import JoinTime, Save
from hepto.edge import rtc
from hepto.edge.pump import now
from hepto.machine import Confidence, WallClock


class Heard:
    """What the driver told."""

    def __init__(self) -> None:
        self.clocks: list[WallClock] = []
        self.saves: list[Save] = []
        self.keys: list[str] = []
        self.followed = asyncio.Event()

    def announce(self, clock: WallClock) -> None:
        self.clocks.append(clock)
        if len(self.clocks) == 2:
            self.followed.set()

    def driver(self, core: ClockMachine) -> ClockDriver:
        def ask_peers(_: int) -> None:
            raise AssertionError("nobody waits so long here")

        return ClockDriver(
            core,
            announce=self.announce,
            save=self.saves.append,
            ask_peers=ask_peers,
            new_key=self.keys.append,
        )


def test_a_clock_that_is_right_is_confirmed_and_saved() -> None:
    async def story() -> None:
        heard = Heard()
        driver = heard.driver(ClockMachine(Floor(built=time.time() - 1000), keyed=True))
        driver.start()
        task = asyncio.create_task(driver.run())
        driver.feed(JoinTime(time.time() - now()))
        task.cancel()

        assert [clock.confidence for clock in heard.clocks] == [Confidence.FLOOR, Confidence.PEERS]
        assert driver.clock == heard.clocks[-1]
        assert driver.is_plausible
        assert driver.saved().clock == pytest.approx(time.time(), abs=60)
        assert len(heard.saves) == 2
        assert heard.keys == ["the saved time was lost"]

    asyncio.run(story())


def test_an_agreed_time_is_written_to_the_real_time_clock_and_that_there_is_none_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    written: list[float] = []

    def write(unix: float) -> None:
        written.append(unix)
        if len(written) > 1:
            raise FileNotFoundError(2, "No such file or directory", "/dev/rtc0")

    monkeypatch.setattr(rtc, "write", write)
    monkeypatch.setattr(machine, "RTC_SECONDS", 0.0)

    async def story() -> None:
        driver = Heard().driver(ClockMachine(Floor(built=time.time() - 1000)))
        driver.start()
        for _ in range(3):
            driver.feed(JoinTime(time.time() - now()))

    asyncio.run(story())

    assert written == [pytest.approx(time.time(), abs=60)] * 3
    assert [line for line in capfd.readouterr().err.splitlines() if "real-time" in line] == [
        "info clock: the real-time clock cannot be set error=\"[Errno 2] No such file or directory: '/dev/rtc0'\""
    ]


def test_a_clock_that_cannot_be_set_is_the_host_s(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[float] = []

    def refuse(_: int, to: float) -> None:
        tries.append(to)
        raise PermissionError

    monkeypatch.setattr(time, "clock_settime", refuse)

    async def story() -> None:
        heard = Heard()
        driver = heard.driver(ClockMachine(Floor(built=time.time() + 1000)))
        driver.start()
        task = asyncio.create_task(driver.run())
        await heard.followed.wait()
        task.cancel()

        assert len(tries) == 1
        assert heard.clocks[-1].offset + now() == pytest.approx(time.time(), abs=60)
        assert not driver.is_plausible

    asyncio.run(story())
