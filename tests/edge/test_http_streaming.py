"""Long answers, and those who do not take theirs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hepto.edge.http_server import Request, Response
from tests.edge.site import POST, run, site


class Pieces:
    """A long answer that says when it was closed."""

    def __init__(self, count: int | None):
        self.count = count
        self.closed = asyncio.Event()

    async def give(self) -> AsyncIterator[bytes]:
        try:
            for number in range(self.count or 1):
                yield b"piece %d\n" % number
            if self.count is None:
                await asyncio.get_running_loop().create_future()
        finally:
            self.closed.set()


def test_a_long_answer_comes_piece_by_piece(tmp_path: Path) -> None:
    async def story() -> None:
        pieces = Pieces(3)

        async def handler(_: Request) -> Response:
            return Response(200, pieces.give())

        async with site(tmp_path, handler) as server:
            answer = await server.ask(POST % 0)

            assert b"Transfer-Encoding: chunked" in answer
            assert [line for line in answer.split(b"\r\n") if line.startswith(b"piece")] == [
                b"piece 0\n",
                b"piece 1\n",
                b"piece 2\n",
            ]
            assert answer.endswith(b"\r\n0\r\n\r\n")
            assert pieces.closed.is_set()

    run(story)


def test_a_long_answer_ends_when_its_reader_goes(tmp_path: Path) -> None:
    async def story() -> None:
        pieces = Pieces(None)

        async def handler(_: Request) -> Response:
            return Response(200, pieces.give())

        async with site(tmp_path, handler) as server:
            stream = await server.tls()
            await stream.write(POST % 0)
            answer = b""
            while b"piece" not in answer:
                answer += await stream.read()
            assert not pieces.closed.is_set()
            stream.close()
            await pieces.closed.wait()
            assert not server.task.done()

    run(story)


def test_a_defect_in_a_long_answer_ends_the_server(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise ValueError("a defect")

    async def handler(_: Request) -> Response:
        return Response(200, broken())

    async def story() -> None:
        async with site(tmp_path, handler) as server:
            await server.ask(POST % 0)
            with pytest.raises(ExceptionGroup):
                await server.task

    run(story)


def test_who_does_not_take_his_answer_is_closed(tmp_path: Path) -> None:
    async def handler(_: Request) -> Response:
        return Response(200, bytes(64 << 20))

    async def story() -> None:
        async with site(tmp_path, handler, seconds=0.3) as server:
            stream = await server.tls()
            await stream.write(POST % 0)
            assert await server.first_refusal == "too-slow"
            stream.close()

    run(story)
