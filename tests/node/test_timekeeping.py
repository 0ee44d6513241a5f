"""The clock among the agent's parts; the clock of the machine that runs the tests is never set."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hepto.clock.model import Handshake, JoinTime, PeerTime, Save
from hepto.edge.pump import now
from hepto.machine import Confidence
from hepto.mesh.driver import load_key
from hepto.node.board import Board
from hepto.node.facts import Clock
from hepto.node.state import State
from hepto.node.timekeeping import Timekeeper, issued, word
from tests.pki.example import authority, pair

BUILT = time.time() - 86400.0
FORGOTTEN = State()


class World:
    """A node's data directory, its board, and what the clock has had saved."""

    def __init__(self, directory: Path):
        self.directory = str(directory)
        self.board = Board()
        self.saves: list[Save] = []

    @property
    def word(self) -> str:
        return self.board.facts.clock.value

    def keeper(self, remembered: State = FORGOTTEN, built: float | None = BUILT) -> Timekeeper:
        return Timekeeper(self.board, self.directory, remembered, built, self.saves.append)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await story()

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("confidence", "plausible", "expected"),
    [
        (Confidence.FLOOR, False, Clock.FLOOR),
        (Confidence.FLOOR, True, Clock.PLAUSIBLE),
        (Confidence.PEERS, True, Clock.PEERS),
        (Confidence.PEERS, False, Clock.PEERS),
        (Confidence.SYNCHRONISED, True, Clock.SYNCHRONISED),
    ],
)
def test_every_confidence_has_a_word(confidence: Confidence, plausible: bool, expected: Clock) -> None:
    assert word(confidence, plausible=plausible) is expected


def test_a_master_s_time_makes_a_clock_worth_more_and_is_told_to_peers(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def story() -> None:
        clock = world.keeper()
        clock.start()
        assert world.word == "plausible"
        assert json.loads(clock.answer())["confidence"] == 0
        clock.feed(JoinTime(time.time() - now()))

        assert world.word == "peers"
        assert clock.is_plausible
        answer = json.loads(clock.answer())
        assert answer["confidence"] == 1
        assert answer["unix"] == pytest.approx(time.time(), abs=60)
        assert world.saves[-1].clock == pytest.approx(time.time(), abs=60)
        assert clock.saved().clock == pytest.approx(time.time(), abs=60)

    run(story)


def test_a_clock_at_1970_gets_the_floor_and_then_the_master_s_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, true, set_to = World(tmp_path), time.time(), [0.0]
    begin = now()

    def settime(_: int, to: float) -> None:
        set_to.append(to - (now() - begin))

    monkeypatch.setattr(time, "time", lambda: set_to[-1] + now() - begin)
    monkeypatch.setattr(time, "clock_settime", settime)

    async def story() -> None:
        clock = world.keeper(State(clock=BUILT + 5000.0, handshake=BUILT + 4990.0))
        clock.start()
        assert set_to[-1] == pytest.approx(BUILT + 5000.0, abs=1)
        assert world.word == "plausible"
        clock.feed(JoinTime(true - begin))
        assert set_to[-1] == pytest.approx(true, abs=1)
        assert world.word == "peers"
        assert clock.saved().clock == pytest.approx(true, abs=10)
        assert clock.saved().handshake == BUILT + 4990.0
        assert not clock.worn

    run(story)


def test_without_an_image_the_clock_may_not_date_a_cluster(tmp_path: Path) -> None:
    world = World(tmp_path)
    load_key(str(tmp_path))

    async def story() -> None:
        clock = world.keeper(built=None)
        clock.start()

        assert world.word == "floor"
        assert not clock.is_plausible
        assert not clock.worn, "nothing was ever saved here"

    run(story)


def test_a_mesh_key_whose_saved_time_was_lost_is_worn_until_another_is_made(tmp_path: Path) -> None:
    world = World(tmp_path)
    load_key(str(tmp_path))

    async def story() -> None:
        clock = world.keeper()
        clock.start()
        assert clock.worn == "the saved time was lost"
        assert world.board.work.is_set()
        clock.key_made()
        assert not clock.worn
        clock.feed(Handshake(time.time() + 3600))
        assert "later" in clock.worn
        assert clock.saved().handshake == pytest.approx(time.time() + 3600, abs=60)
        clock.key_made()
        assert clock.saved().handshake is None

    run(story)


def test_a_key_made_in_this_boot_is_not_worn(tmp_path: Path) -> None:
    async def story() -> None:
        clock = World(tmp_path).keeper()
        load_key(str(tmp_path))
        clock.start()

        assert not clock.worn

    run(story)


def test_questions_that_nobody_could_ask_are_one_question(tmp_path: Path) -> None:
    async def story() -> None:
        clock = World(tmp_path).keeper()
        for count in (7, 7, 5):
            clock._ask(count)
        assert await clock.wanted() == 5
        again = asyncio.ensure_future(clock.wanted())
        await asyncio.sleep(0)
        assert not again.done()
        again.cancel()

    run(story)


def test_peers_that_agree_are_heard(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def story() -> None:
        clock = world.keeper()
        clock.start()
        for name in ("two", "three"):
            clock.feed(PeerTime(name, time.time() - now(), 0.1))

        assert world.word == "peers"

    run(story)


def test_the_newest_certificate_is_a_floor(tmp_path: Path) -> None:
    assert issued(str(tmp_path)) is None
    (tmp_path / "pki").mkdir()
    path = tmp_path / "pki/node-api.pem"
    path.write_bytes(b"damaged")
    assert issued(str(tmp_path)) is None
    at = datetime(2031, 5, 6, tzinfo=UTC)
    path.write_bytes(pair("node-api", authority(now=at), now=at).pem())

    found = issued(str(tmp_path))

    assert found is not None
    assert at - timedelta(days=1) < datetime.fromtimestamp(found, UTC) <= at
