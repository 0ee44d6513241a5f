import asyncio
from dataclasses import dataclass

from hepto.edge.pump import Pump, now
from hepto.machine import Effect, Event


@dataclass(frozen=True, slots=True)
class Order(Event):
    at: float


@dataclass(frozen=True, slots=True)
class Done(Effect):
    at: float


class Alarm:
    """Answers an order when its time has come."""

    def __init__(self) -> None:
        self.orders: list[float] = []
        self.ticks: list[tuple[float, float]] = []
        self._effects: list[Done] = []

    def handle(self, event: Order, now: float) -> None:
        self.orders.append(event.at)

    def tick(self, now: float) -> None:
        for at in [at for at in self.orders if at <= now]:
            self.orders.remove(at)
            self.ticks.append((at, now))
            self._effects.append(Done(at))

    def deadline(self) -> float | None:
        return min(self.orders, default=None)

    def effects(self) -> tuple[Done, ...]:
        effects, self._effects = tuple(self._effects), []
        return effects


def test_the_machine_is_ticked_at_its_deadline_and_never_before() -> None:
    async def story() -> None:
        alarm, done = Alarm(), asyncio.Queue[Done]()
        pump: Pump[Order, Done] = Pump(alarm, done.put_nowait)
        begin = now()
        pump.feed(Order(begin + 0.05))
        pump.feed(Order(begin + 0.01))

        assert [(await done.get()).at, (await done.get()).at] == [begin + 0.01, begin + 0.05]
        assert all(ticked >= at for at, ticked in alarm.ticks)

    asyncio.run(story())


def test_a_closed_pump_has_no_timer() -> None:
    async def story() -> None:
        alarm, done = Alarm(), asyncio.Queue[Done]()
        pump: Pump[Order, Done] = Pump(alarm, done.put_nowait)
        pump.feed(Order(now()))
        pump.close()
        for _ in range(3):
            await asyncio.sleep(0)

        assert done.empty()
        assert alarm.ticks == []

    asyncio.run(story())


def test_effects_are_performed_before_it_is_settled() -> None:
    async def story() -> None:
        seen: list[str] = []
        alarm = Alarm()
        pump: Pump[Order, Done] = Pump(alarm, lambda effect: seen.append("effect"), lambda: seen.append("settled"))
        alarm._effects.append(Done(0.0))
        pump.feed(Order(now() + 100))
        pump.close()

        assert seen == ["effect", "settled"]

    asyncio.run(story())
