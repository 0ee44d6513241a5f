import asyncio
from pathlib import Path

import pytest

from hepto.node.supervisor import RefusedError, Supervisor
from init.contract.control import Verb
from tests.fakes.supervisor import FakeSupervisor


def test_requests_are_asked_and_answered(tmp_path: Path) -> None:
    async def story() -> None:
        async with FakeSupervisor(str(tmp_path / "sock")) as fake:
            line = Supervisor(str(tmp_path / "sock"))
            await line.ready("etcd", ready=True)
            await line.mounts("/data/demo/one")
            await line.note("hello")

        found = [(request.verb, request.arguments) for request in fake.requests]
        assert found == [
            (Verb.READY, {"service": "etcd", "ready": True}),
            (Verb.MOUNTS, {"directory": "/data/demo/one"}),
            (Verb.NOTE, {"text": "hello"}),
        ]

    asyncio.run(story())


def test_a_refusal_carries_pid_1_s_words(tmp_path: Path) -> None:
    async def story() -> None:
        async with FakeSupervisor(str(tmp_path / "sock")) as fake:
            fake.refuse[Verb.MOUNTS] = "it is another directory"
            with pytest.raises(RefusedError, match="another directory") as caught:
                await Supervisor(str(tmp_path / "sock")).mounts("/data")
        assert caught.value.hint == "do this"

    asyncio.run(story())


def test_without_pid_1_it_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        asyncio.run(Supervisor(str(tmp_path / "none")).note("x"))


def test_a_lost_stream_is_taken_up_again(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "sock"
        kinds = []
        changes = Supervisor(str(path)).changes()
        async with FakeSupervisor(str(path)) as fake:
            await fake.say("service", "etcd", {"state": "ready"})
            kinds += [(await anext(changes))["kind"] for _ in range(2)]
        kinds.append((await anext(changes))["kind"])
        path.unlink()
        async with FakeSupervisor(str(path)):
            while (packet := await anext(changes))["kind"] == "lost":
                pass
            kinds.append(packet["kind"])
        await changes.aclose()  # type: ignore[attr-defined] # an async generator
        assert kinds == ["service", "complete", "lost", "complete"]

    asyncio.run(story())
