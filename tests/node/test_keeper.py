import asyncio
from pathlib import Path

import pytest

from hepto.node import state
from hepto.node.keeper import Keeper
from hepto.node.state import State


def kept(directory: Path) -> State:
    path = directory / "state.json"
    return state.load(path.read_bytes() if path.exists() else None, str(path))


def test_each_part_is_kept_beside_the_others(tmp_path: Path) -> None:
    async def story() -> None:
        keeper = Keeper(str(tmp_path), State(clock=5.0, machine_id="ab"))
        task = asyncio.create_task(keeper.run())
        keeper.keep(gossip={"incarnation": 7})
        keeper.keep(clock=6.0, handshake=4.0)
        async with asyncio.timeout(10):
            while kept(tmp_path).handshake is None:  # noqa: ASYNC110 - a file announces nothing
                await asyncio.sleep(0)
        task.cancel()

    asyncio.run(story())
    assert kept(tmp_path) == State(clock=6.0, handshake=4.0, machine_id="ab", gossip={"incarnation": 7})


def test_a_disk_that_takes_nothing_is_told_of_and_ends_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Keeper(str(tmp_path / "gone"), State()).write()

    assert "state not saved" in capfd.readouterr().err
