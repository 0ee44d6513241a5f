"""The member that `hepto gossip run` runs: prints what changes, answers `hepto gossip`, remembers, leaves."""

import asyncio
import json
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from hepto.cli.flags import read_secret
from hepto.edge import files
from hepto.edge.pump import now, pause
from hepto.errors import ExitCode, UserError
from hepto.gossip import report, store
from hepto.gossip.anchors import parse_anchor
from hepto.gossip.compat import Compat
from hepto.gossip.driver import GossipDriver, Wire
from hepto.gossip.messages import Address
from hepto.gossip.model import MemberChanged, Remember
from hepto.gossip.plain import EndpointRecord, Meta
from hepto.gossip.profile import PROFILES
from hepto.gossip.settings import Settings
from hepto.machine import Effect
from hepto.node import answers
from hepto.options import BY_NAME
from hepto.values import BadValue, Secret
from init.contract import durable

LEAVE_SECONDS = 10.0
SAVE_SECONDS = 1.0


@dataclass(frozen=True)
class Options:
    """What was given, as `hepto gossip run --help` explains it."""

    name: str
    bind: str
    advertise: str
    anchors: tuple[str, ...]
    cluster: str
    key: str
    insecure: bool
    profile: str
    compat: str
    tags: tuple[str, ...]
    grant: str
    state: str
    socket: str
    as_json: bool


def live(options: Options) -> int:
    """Run until a signal ends it; the exit code."""
    return asyncio.run(_Member(options).live())


class _Member:
    def __init__(self, options: Options):
        self._options = options
        self._remembered = _remembered(options.state)
        self._driver = _driver(options, self._remembered, self._heard)
        self._to_save = asyncio.Event()

    async def live(self) -> int:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[bool] = loop.create_future()
        tasks = [asyncio.ensure_future(work) for work in self._work()]

        def end(leaves: bool) -> None:
            if not ended.done():
                ended.set_result(leaves)

        loop.add_signal_handler(signal.SIGTERM, end, False)
        loop.add_signal_handler(signal.SIGINT, end, True)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        try:
            await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            if await ended and not await self._driver.leave(LEAVE_SECONDS):
                click.echo("nobody has heard that we leave", err=True)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return ExitCode.DONE

    def _work(self) -> list[Any]:  # Any: coroutines, whose results nobody wants
        work: list[Any] = [self._driver.run(self._started)]
        if self._options.socket:
            work.append(answers.serve(self._report, self._options.socket))
        if self._options.state:
            work.append(self._save())
        return work

    def _report(self) -> dict[str, Any]:
        return report.report(self._driver.core, self._options.name.encode(), now())

    def _started(self) -> None:
        where = self._options.advertise or self._options.bind
        self._say({"change": "started", "name": self._options.name, "address": where})

    def _heard(self, effect: Effect) -> None:
        match effect:
            case MemberChanged(change, claim):
                self._say({"change": change.value, **report.plain_claim(claim)})
            case Remember(incarnation, addresses):
                self._remembered = store.Remembered(incarnation, addresses)
                self._to_save.set()

    def _say(self, news: dict[str, Any]) -> None:
        """One line, at once."""
        if self._options.as_json:
            click.echo(json.dumps({"time": time.time(), "now": now(), **news}, ensure_ascii=False))
        else:
            click.echo(f"{news['change']} {news['name']} {news['address']}")

    async def _save(self) -> None:
        while True:
            await self._to_save.wait()
            self._to_save.clear()
            await asyncio.to_thread(durable.write, self._options.state, store.encode(self._remembered))
            await pause(SAVE_SECONDS)

    def _reload(self) -> None:
        try:
            self._driver.set_keys(_keys(self._options))
        except (UserError, ValueError) as error:
            click.echo(f"the keys stay as they are: {error}", err=True)


def _driver(options: Options, remembered: store.Remembered, heard: Any) -> GossipDriver:
    compat = Compat(options.compat)
    bind = _address("--bind", options.bind)
    address = _address("--advertise", options.advertise) if options.advertise else bind
    name = options.name.encode()
    settings = Settings(
        name=name,
        address=address,
        meta=_meta(options, compat, address),
        anchors=_anchors(options.anchors),
        profile=PROFILES[options.profile],
        incarnation=store.first_incarnation(remembered, time.time()),
        remembered=remembered.addresses,
    )
    wire = Wire(compat.label(options.cluster), _keys(options))
    return GossipDriver(settings, wire, compat.application(name), heard, bind.ip)


def _meta(options: Options, compat: Compat, address: Address) -> bytes:
    grant = Path(options.grant).read_bytes() if options.grant else None
    record = EndpointRecord((address.ip,), 0, 0, int(time.time()))
    tags = dict(tag.encode().split(b"=", 1) for tag in options.tags if "=" in tag)
    try:
        return compat.meta(Meta(grant, record), tags)
    except ValueError as error:
        raise UserError(str(error), "give fewer or shorter tags", ExitCode.USAGE) from None


def _address(flag: str, text: str) -> Address:
    try:
        return store.parse_address(text)
    except ValueError:
        raise UserError(
            f"{flag} {text} is no address with a port", f"write {flag} [2001:db8::9]:7946", ExitCode.USAGE
        ) from None


def _anchors(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            parse_anchor(text, 1)
        except ValueError as error:
            raise UserError(f"--anchor: {error}", "name a host, or an address in brackets", ExitCode.USAGE) from None
    return texts


def _keys(options: Options) -> tuple[Secret, ...]:
    if not options.key:
        if options.insecure:
            return ()
        raise UserError("there is no --key", "make one with “hepto key” (or say --insecure)", ExitCode.USAGE)
    option = BY_NAME["key"]
    try:
        keys: tuple[Secret, ...] = option.kind.parse(read_secret(option, options.key).decode())
    except (BadValue, UnicodeDecodeError) as error:
        raise UserError(f"--key: {error}", f"it takes {option.kind.allowed}", ExitCode.USAGE) from None
    return keys


def _remembered(path: str) -> store.Remembered:
    if not path:
        return store.Remembered()
    remembered, complaint = store.decode(files.read(path))
    if complaint:
        click.echo(f"{path} is not used: {complaint}", err=True)
    return remembered
