"""What an operator is given from outside: logs, and how services have died."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from hepto.api.operators import ARGUMENTS, Verb
from hepto.edge import evidence
from hepto.errors import ExitCode, UserError
from hepto.node.orders import NodeOrders
from hepto.node.supervisor import Supervisor
from hepto.pki.operator import Order, Ordered
from init import logread
from init.contract.crash import Crash
from init.contract.status import LastExit
from tests.fakes.logs import LogWriter

ORDERED = Ordered(Order("one", "logs", (), b""), b"")
BOOT = b"b" * 16


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogWriter]:
    writer = LogWriter(tmp_path)
    monkeypatch.setattr(logread, "places", lambda: writer.where)
    yield writer
    writer.close()


async def ask(most: int = 1 << 30, **given: str) -> bytes:
    """The answer to an order for logs; at most so many pieces of it."""
    assert given.keys() <= set(ARGUMENTS[Verb.LOGS])
    handler = NodeOrders(Supervisor("/nowhere"), dict).handlers()[Verb.LOGS]
    answer: Any = await handler(tuple(given.get(name, "") for name in ARGUMENTS[Verb.LOGS]), ORDERED)
    assert isinstance(answer, AsyncIterator)
    pieces = []
    async for piece in answer:
        pieces.append(piece)
        if len(pieces) == most:
            break
    return b"".join(pieces)


def test_without_a_service_the_names_are_lines_or_one_array(log: LogWriter) -> None:
    for name in ("etcd", "agent"):
        log.write(name, b"x\n", BOOT, wall=1.0, boot=1.0)

    assert asyncio.run(ask()) == b"agent\netcd\n"
    assert json.loads(asyncio.run(ask(json="1"))) == ["agent", "etcd"]


def test_lines_are_text_or_objects_the_last_ones_or_those_since_a_time(log: LogWriter) -> None:
    log.write("etcd", b"old\n", BOOT, wall=0.0, boot=1.0)
    log.write("etcd", b"new\nnewest\n", BOOT, wall=86400.0, boot=2.0)

    new = b"1970-01-02T00:00:00.000000Z new\n"
    newest = b"1970-01-02T00:00:00.000000Z newest\n"
    assert asyncio.run(ask(service="etcd", since="1970-01-01T12:00")) == new + newest
    assert asyncio.run(ask(service="etcd", since="1970-01-01T12:00", lines="1")) == newest
    objects = asyncio.run(ask(service="etcd", json="1")).splitlines()
    assert [json.loads(line)["text"] for line in objects] == ["old", "new", "newest"]


@pytest.mark.parametrize("as_json", ["", "1"])
def test_what_comes_later_is_written_like_what_was_there(log: LogWriter, as_json: str) -> None:
    async def follow() -> list[bytes]:
        log.write("etcd", b"there\n", BOOT, wall=0.0, boot=1.0)
        asking = asyncio.ensure_future(ask(2, service="etcd", follow="1", json=as_json))
        await asyncio.sleep(0)
        log.write("etcd", b"later\n", BOOT, wall=1.0, boot=2.0)
        return (await asking).splitlines()

    found = asyncio.run(follow())

    if as_json:
        assert [json.loads(line)["text"] for line in found] == ["there", "later"]
    else:
        assert found == [b"1970-01-01T00:00:00.000000Z there", b"1970-01-01T00:00:01.000000Z later"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"service": "etc"}, ExitCode.FAILED),
        ({"service": "etcd", "since": "noon"}, ExitCode.USAGE),
        ({"service": "etcd", "lines": "-1"}, ExitCode.FAILED),
        ({"service": "etcd", "lines": "9" * 10}, ExitCode.FAILED),
    ],
)
def test_what_cannot_be_shown_is_refused_with_what_and_why(
    log: LogWriter, given: dict[str, str], code: ExitCode
) -> None:
    log.write("etcd", b"x\n", BOOT, wall=1.0, boot=1.0)

    with pytest.raises(UserError) as caught:
        asyncio.run(ask(1, **given))

    assert caught.value.code is code
    assert caught.value.hint


def test_crash_reports_are_given_as_the_node_prints_them(monkeypatch: pytest.MonkeyPatch) -> None:
    crash = Crash("etcd", 1, "boot", 1.0, LastExit("exit", 1, 70.0), 12.5, lines=("bye",))
    monkeypatch.setattr(evidence, "crashes", lambda service: [crash] if service in ("", "etcd") else [])
    handler = NodeOrders(Supervisor("/nowhere"), dict).handlers()[Verb.SERVICE]

    async def ask(service: str) -> Any:
        return await handler(("crashes", service), ORDERED)

    found = asyncio.run(ask("etcd"))

    assert [(one["service"], one["cause"], list(one["lines"])) for one in found] == [
        ("etcd", "exited with status 1", ["bye"])
    ]
    assert asyncio.run(ask("agent")) == []
