import asyncio
import contextlib
from pathlib import Path

from hepto.kube.health import Health, Probe
from hepto.node.probes import Watch


class Service:
    """An HTTP server on ::1 that answers what a test says, and the process that PID 1 sees."""

    def __init__(self) -> None:
        self.status = 503
        self.asked = 0
        self.process: int | None = None
        self._changed = asyncio.Event()
        self._open: set[asyncio.Task[None] | None] = set()

    async def __aenter__(self) -> "Service":
        self._server = await asyncio.start_server(self._answer, "::1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.gather(*(task for task in self._open if task is not None))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            while await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % self.status)

    def runs(self, process: int | None) -> None:
        self.process = process
        self._changed.set()

    async def changed(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def test_only_a_process_that_runs_is_asked_and_another_one_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        answers: asyncio.Queue[Health] = asyncio.Queue()

        async def report(service: str, answer: Health) -> None:
            assert service == "kubelet"
            answers.put_nowait(answer)

        async with Service() as service:
            probe = Probe("kubelet", f"http://[::1]:{service.port}/healthz")
            watch = asyncio.create_task(
                Watch((probe,), lambda: service.process, service.changed, report, awaited=True).run()
            )
            await asyncio.sleep(0)
            assert service.asked == 0

            service.runs(7)
            assert not (await answers.get()).ready
            service.status = 200
            while not (await answers.get()).ready:
                pass
            asked = service.asked

            service.runs(8)  # without this it would be asked again in ten seconds
            assert (await answers.get()).ready
            assert service.asked == asked + 1
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    asyncio.run(story())
