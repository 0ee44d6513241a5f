"""Asks services over HTTP whether they are ready, sparingly: a boot under emulation has no processor time to give away.

Promises: a service is asked only while PID 1 says that it runs, and at once when another process has taken its place.
(A Python TLS handshake every quarter of a second for five services, running or not, took a whole emulated processor and
the apiserver two minutes to start.)
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from hepto.kube import health
from hepto.kube.driver import Asker
from hepto.kube.health import Health, Probe

LEISURE = 2.0
"""Seconds between two questions to a service that is not ready and that no other service waits for."""

Report = Callable[[str, Health], Awaitable[None]]


class Watch:
    """Asks one service again and again, often until it is ready, then seldom.

    `process` says which process of it runs, None for none; `changed` returns when that may be another. `report` gets
    each answer, changed or not, so that whoever forgot one hears it again; of a ready service only the third failure
    in a row. `awaited`: other services start when this one is ready.
    """

    def __init__(
        self,
        probes: tuple[Probe, ...],
        process: Callable[[], object | None],
        changed: Callable[[], Awaitable[None]],
        report: Report,
        *,
        awaited: bool,
    ):
        self._probes = probes
        self._process = process
        self._changed = changed
        self._report = report
        self._interval = health.STARTING_INTERVAL if awaited else LEISURE

    async def run(self) -> None:
        """Until cancelled."""
        asker = Asker()
        try:
            while True:
                process = self._process()
                if process is None:
                    await self._changed()
                else:
                    await self._ask_while(process, asker)
                    await asker.close()
        finally:
            await asker.close()

    async def _ask_while(self, process: object, asker: Asker) -> None:
        clock = asyncio.get_running_loop().time
        ready, failures = False, 0
        while self._process() == process:
            begin = clock()
            answer = await asker.check(self._probes)
            took = clock() - begin
            failures = 0 if answer.ready else failures + 1
            if answer.ready or not ready or failures >= health.FAILURES:
                ready = answer.ready
                await self._report(self._probes[0].service, answer)
            interval = health.interval(ready=answer.ready, took=took)
            await self._pause(interval if answer.ready else max(interval, self._interval), process)

    async def _pause(self, seconds: float, process: object) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._process() == process:
                    await self._changed()
