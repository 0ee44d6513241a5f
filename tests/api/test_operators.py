"""Orders over real sockets, from one side to the other: who is obeyed, and who is not."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from hepto.api import messages, orders
from hepto.api.client import Candidate, Membership
from hepto.api.messages import HELLO_NAME, Hello, Signed
from hepto.api.operators import ARGUMENTS, NONCE_SECONDS, Operators, Ordered, Verb, VerbHandler
from hepto.api.orders import Operator
from hepto.api.relay import MASTER, Find, Here, Relay, There
from hepto.api.routes import Reply
from hepto.errors import ExitCode, PeerError, UserError
from tests.api.example import CLUSTER, MAC, STRANGER, Mac, certificate, membership, serving

KNOWN = membership(CLUSTER.certificate)
AUTHORITY = CLUSTER.certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True)
class Order:
    """Plays hepto.pki.operator."""

    node: str
    verb: str
    arguments: tuple[str, ...]
    nonce: bytes

    def signed(self) -> bytes:
        return json.dumps([self.node, self.verb, self.arguments, self.nonce.hex()]).encode()


@dataclass(frozen=True)
class Verified:
    order: Order
    fingerprint: str


def verify(node: str) -> Callable[[bytes, bytes], Ordered]:
    def check(data: bytes, signature: bytes) -> Ordered:
        if signature != b"operator":
            raise PeerError("not-an-operator", "the key is in no hepto.admin here")
        target, verb, arguments, nonce = json.loads(data)
        if target != node:
            raise PeerError("not-for-us", "it is for another node")
        return Verified(Order(target, verb, tuple(arguments), bytes.fromhex(nonce)), "SHA256:operator")

    return check


def signing(signature: bytes = b"operator", node: str | None = None) -> orders.Sign:
    async def sign(name: str, verb: Verb, arguments: tuple[str, ...], nonce: bytes) -> tuple[bytes, bytes]:
        return Order(node or name, verb, arguments, nonce).signed(), signature

    return sign


async def forget(arguments: tuple[str, ...], ordered: Ordered) -> object:
    if arguments == ("node7",):
        raise UserError("there is no node7", "hepto node list shows which there are")
    return {"forgotten": arguments[0], "by": ordered.fingerprint}


async def logs(arguments: tuple[str, ...], _: Ordered) -> object:
    async def lines() -> AsyncIterator[bytes]:
        for number in range(3):
            yield f"{arguments[0]} {number}\n".encode()

    return lines()


HANDLERS: Mapping[Verb, VerbHandler] = {Verb.FORGET: forget, Verb.LOGS: logs}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def operators(
    node: str = "mymaster", handlers: Mapping[Verb, VerbHandler] = HANDLERS, clock: Callable[[], float] = lambda: 0.0
) -> Operators:
    numbers = itertools.count()
    return Operators(
        node,
        AUTHORITY,
        MAC,
        verify(node),
        handlers,
        token=lambda count: next(numbers).to_bytes(count, "big"),
        clock=clock,
    )


@contextlib.asynccontextmanager
async def node(tmp_path: Path, find: Find = lambda _: Here(), *, master: bool = True) -> AsyncIterator[Candidate]:
    door = operators("mymaster" if master else "node1")
    pem = certificate(tmp_path, master=master)
    async with serving(pem, {"/v1/operator": door}, Relay(MAC, find)) as (candidate, _):
        yield candidate


def operator(candidate: Candidate, who: Membership = KNOWN, sign: orders.Sign | None = None) -> Operator:
    return Operator([candidate], who, sign or signing())


def test_a_stranger_learns_the_ca_with_the_key_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with node(tmp_path) as candidate:
            assert await orders.learn([candidate], membership()) == CLUSTER.certificate

    asyncio.run(story())


def test_an_order_is_carried_out_and_answered(tmp_path: Path) -> None:
    async def story() -> None:
        async with node(tmp_path) as candidate:
            for target in (orders.ANCHOR, MASTER, "mymaster"):
                found = await orders.order(operator(candidate), target, Verb.FORGET, ("node1",))
                assert found == {"forgotten": "node1", "by": "SHA256:operator"}

    asyncio.run(story())


def test_a_long_answer_comes_as_it_is(tmp_path: Path) -> None:
    async def story() -> None:
        async with node(tmp_path) as candidate:
            pieces = orders.stream(operator(candidate), orders.ANCHOR, Verb.LOGS, ("etcd", "", "", "1", ""))
            assert b"".join([piece async for piece in pieces]) == b"etcd 0\netcd 1\netcd 2\n"

    asyncio.run(story())


def test_a_member_passes_an_order_on_to_the_node_it_is_for(tmp_path: Path) -> None:
    async def story() -> None:
        async with node(tmp_path) as master:

            def find(target: str) -> tuple[There, ...]:
                return (There(master.address, master.port),) if target in (MASTER, "mymaster") else ()

            async with node(tmp_path, find, master=False) as member:
                for target in ("mymaster", MASTER):
                    found = await orders.order(operator(member), target, Verb.FORGET, ("x",))
                    assert found == {"forgotten": "x", "by": "SHA256:operator"}
                with pytest.raises(UserError, match="knows no such node"):
                    await orders.order(operator(member), "node9", Verb.STATUS)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("who", "sign", "target", "verb", "arguments", "what", "code"),
    [
        (membership(CLUSTER.certificate, Mac(b"x")), signing(), None, Verb.FORGET, ("a",), "the key", ExitCode.REFUSED),
        (membership(STRANGER.certificate), signing(), None, Verb.FORGET, ("a",), "not who it", ExitCode.REFUSED),
        (KNOWN, signing(b"nobody"), None, Verb.FORGET, ("a",), "no hepto.admin", ExitCode.REFUSED),
        (KNOWN, signing(node="other"), None, Verb.FORGET, ("a",), "for another node", ExitCode.REFUSED),
        (KNOWN, signing(), "node1", Verb.FORGET, ("a",), "not node1", ExitCode.REFUSED),
        (KNOWN, signing(), None, Verb.REVOKE, ("a",), "does not know “revoke”", ExitCode.USAGE),
        (KNOWN, signing(), None, Verb.FORGET, (), "forget takes name", ExitCode.FAILED),
        (KNOWN, signing(), None, Verb.FORGET, ("node7",), "there is no node7", ExitCode.FAILED),
    ],
    ids=["key", "CA", "signature", "another node's order", "target", "verb", "arguments", "the handler's refusal"],
)
def test_who_is_not_obeyed_hears_why(
    tmp_path: Path,
    who: Membership,
    sign: orders.Sign,
    target: str | None,
    verb: Verb,
    arguments: tuple[str, ...],
    what: str,
    code: ExitCode,
) -> None:
    async def story() -> None:
        async with node(tmp_path) as candidate:
            with pytest.raises(UserError, match=what) as caught:
                await orders.order(operator(candidate, who, sign), target, verb, arguments)
            assert caught.value.code is code
            assert caught.value.hint

    asyncio.run(story())


def test_nobody_there_is_not_reachable(tmp_path: Path) -> None:
    async def story() -> None:
        async with node(tmp_path) as candidate:
            pass
        with pytest.raises(UserError, match="refuses connections") as caught:
            await orders.order(operator(candidate), None, Verb.STATUS)
        assert caught.value.code is ExitCode.UNREACHABLE

    asyncio.run(story())


# -- the door alone


def signed(nonce: bytes, of_order: bytes | None = None) -> bytes:
    order = Order("mymaster", "forget", ("a",), nonce if of_order is None else of_order)
    return messages.encode(Signed(nonce, order.signed(), b"operator"))


async def greet(door: Operators) -> bytes:
    nonce = b"n" * 32
    reply = await door(messages.encode(Hello(nonce, MAC(HELLO_NAME, nonce, b"k"))), b"k")
    assert isinstance(reply, Reply)
    return messages.read(messages.Welcome, reply.body).nonce


async def status(door: Operators, body: bytes) -> tuple[int, str]:
    reply = await door(body, b"k")
    assert isinstance(reply, Reply)
    return reply.status, reply.reason


def test_a_nonce_is_good_once_for_a_minute_and_for_its_own_order() -> None:
    async def story() -> None:
        clock = Clock()
        door = operators(clock=clock)
        nonce = await greet(door)
        assert await status(door, signed(nonce)) == (200, "")
        assert await status(door, signed(nonce)) == (401, "operator-bad-nonce")
        assert await status(door, signed(b"never made" + bytes(22))) == (401, "operator-bad-nonce")
        nonce, other = await greet(door), await greet(door)
        assert await status(door, signed(nonce, other)) == (403, "operator-bad-nonce")
        clock.now += NONCE_SECONDS + 1
        assert await status(door, signed(other)) == (403, "operator-too-late")

    asyncio.run(story())


def test_without_the_key_there_is_no_answer() -> None:
    async def story() -> None:
        door = operators()
        hello = messages.encode(Hello(b"n" * 32, b"p" * 32))
        assert await status(door, hello) == (401, "operator-bad-proof")
        other_server = messages.encode(Hello(b"n" * 32, MAC(HELLO_NAME, b"n" * 32, b"another key")))
        assert await status(door, other_server) == (401, "operator-bad-proof")
        with pytest.raises(PeerError):
            await door(b"garbage", b"k")

    asyncio.run(story())


def test_nonces_are_bounded() -> None:
    async def story() -> None:
        door = operators()
        first = await greet(door)
        last = [await greet(door) for _ in range(1024)][-1]
        assert await status(door, signed(first)) == (401, "operator-bad-nonce")
        assert await status(door, signed(last)) == (200, "")

    asyncio.run(story())


def test_a_defect_of_a_handler_is_not_passed_over() -> None:
    async def broken(arguments: tuple[str, ...], ordered: Ordered) -> object:
        raise KeyError("a defect")

    async def story() -> None:
        door = operators(handlers={Verb.FORGET: broken})
        with pytest.raises(KeyError):
            await door(signed(await greet(door)), b"k")

    asyncio.run(story())


def test_every_verb_has_its_arguments() -> None:
    assert set(ARGUMENTS) == set(Verb)
