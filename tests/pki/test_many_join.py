"""Two hundred nodes join one master over a network that loses, repeats and reorders, under virtual time.

Joiners and signer are the production cores, and a node waits between two tries as hepto/node/applicant.py does. The
master dies again and again: before a register is on the disk, or when it is and nothing was answered yet.
"""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from hepto.api.client import SECONDS
from hepto.node.applicant import RARELY, SOON
from hepto.pki import admission, grant, revocations
from hepto.pki.joiner import Enrolment, Joiner, Waiting
from hepto.pki.profiles import BY_NAME
from hepto.pki.reasons import PkiError, Reason, RefusedError
from hepto.pki.register import HOUR, MOST_NAMES_AN_HOUR, Register, dump, load
from hepto.pki.signer import Answer, Signer, enrolled_subject
from hepto.pki.verify import flaw
from hepto.sim.clock import Clock
from tests.pki.example import GOSSIP_KEY, MASTER, NOW, PLAN, SERVER_KEY, Master, Node, key

NODES = 200
LOSS, REPEAT, CRASH = 0.2, 0.1, 0.05
SLOWEST = 4.0
"""Seconds on the way: what answers one try may come in the middle of the next."""
MINUTE = 60.0
CERTIFICATE = "node-api"
KEYS = {CERTIFICATE: key()}
"""Of all nodes that ask for a certificate, which is every fifth: the others cost less, and are let in all the same."""

Receive = Callable[[bytes], None]
Ask = Callable[[bytes, Receive], None]


class Weather:
    """The network: each message comes never, once or twice, each time after a delay of its own."""

    def __init__(self, clock: Clock, dice: random.Random):
        self._clock = clock
        self._dice = dice
        self.sent = self.lost = self.repeated = 0

    def send(self, receive: Callable[[], None]) -> None:
        self.sent += 1
        if self._dice.random() < LOSS:
            self.lost += 1
            return
        copies = 2 if self._dice.random() < REPEAT else 1
        self.repeated += copies - 1
        for _ in range(copies):
            self._clock.at(self._clock.now + SLOWEST * self._dice.random() ** 3, receive)


class Site(Master):
    """A master that forgets all that is not on its disk, whenever it dies."""

    def __init__(self, admit: str, clock: Clock, dice: random.Random):
        super().__init__(admit)
        self.disk = self.register
        """It goes through its file when it is read: written at each change, it would be most of the test's time."""
        self.deaths = 0
        self.enrolled: list[tuple[float, str, int]] = []
        """When which node got a grant, and its serial, in this order."""
        self._admit = admit
        self._clock = clock
        self._dice = dice

    def restart(self) -> None:
        """Like the agent: with a register from the disk, and without the nonces that it has given out."""
        self.deaths += 1
        self.signer = Signer(
            MASTER,
            self.issuer,
            self.signer.own,
            self.node.wireguard,
            load(dump(self.disk)),
            (GOSSIP_KEY,),
            admit=self._admit,
            server_key=SERVER_KEY,
            token=self._dice.randbytes,
            serial=lambda: self._dice.getrandbits(150),
        )

    def order(self, register: Register) -> None:
        """It is durable, and what the signer goes on with."""
        before = self.register
        for name, node in register.nodes.items():
            if before.nodes.get(name) != node:
                self.enrolled.append((self._clock.now, name, node.grant.serial))
        self.disk = self.signer.register = register

    def hello(self, body: bytes) -> bytes:
        return self._answer(lambda now: self.signer.hello(body, now))

    def join(self, body: bytes) -> bytes:  # type: ignore[override]
        return self._answer(lambda now: self.signer.join(body, now))

    def _answer(self, ask: Callable[..., Answer]) -> bytes:
        """Nothing if it died of it, or if the answer is silence."""
        dies, early = self._dice.random() < CRASH, self._dice.random() < 0.5
        try:
            answer = ask(NOW + timedelta(seconds=self._clock.now))
        except PkiError as error:
            return error.body
        if answer.register is not None and not (dies and early):
            self.order(answer.register)
        if dies:
            self.restart()
            return b""
        return answer.body


class Machine:
    """A node that asks until it is enrolled. What it hears may be the answer to an earlier try."""

    def __init__(self, node: Node, site: Site, clock: Clock, weather: Weather, dice: random.Random, pace: float):
        self.node = node
        self._keys = KEYS if node.name.endswith(("3", "7")) else {}
        self.enrolment: Enrolment | None = None
        self.heard: Counter[str] = Counter()
        self._site = site
        self._clock = clock
        self._weather = weather
        self._dice = dice
        self._delay, self._longest = SOON * pace, RARELY * pace
        self._turn = 0
        self._joiner: Joiner | None = None
        self._asked = False

    def begin(self) -> None:
        """One more try, with a nonce of its own."""
        self._turn += 1
        self._asked = False
        self._joiner = Joiner(self.node.applicant, GOSSIP_KEY, self._dice.randbytes(32))
        self._send(self._site.hello, self._joiner.hello(), self._welcomed)
        self._clock.at(self._clock.now + SECONDS, self._silent, self._turn)

    def _send(self, door: Callable[[bytes], bytes], body: bytes, receive: Receive) -> None:
        def arrive() -> None:
            answer = door(body)
            if answer:
                self._weather.send(lambda: receive(answer))

        self._weather.send(arrive)

    def _welcomed(self, body: bytes) -> None:
        if self._joiner is None:
            return
        try:
            self._joiner.hello_answered(body)
        except PkiError as error:
            self.heard[error.kind] += 1
            return
        if not self._asked:
            self._asked = True
            request = self._joiner.request(SERVER_KEY, self._keys)
            self._send(self._site.join, request, self._answered)

    def _answered(self, body: bytes) -> None:
        if self._joiner is None or not self._asked:
            return
        try:
            answer = self._joiner.answered(body)
        except RefusedError as error:
            self.heard[error.kind] += 1
            self._retry()
        except PkiError as error:
            self.heard[error.kind] += 1
        else:
            if isinstance(answer, Waiting):
                self.heard["waits"] += 1
                self._retry()
            else:
                assert self.enrolment is None
                self._joiner, self.enrolment = None, answer

    def _silent(self, turn: int) -> None:
        if turn == self._turn and self._joiner is not None:
            self.heard["silence"] += 1
            self._retry()

    def _retry(self) -> None:
        self._joiner = None
        self._clock.at(self._clock.now + self._delay * (1 + self._dice.random() / 4), self.begin)
        self._delay = min(self._delay * 2, self._longest)


class World:
    """All of it, from one seed; every node is switched on within the first minute, and waits `pace` times too long."""

    def __init__(self, admit: str, seed: int, pace: float = 1.0):
        self.clock, self.dice = Clock(), random.Random(seed)
        self.weather = Weather(self.clock, self.dice)
        self.site = Site(admit, self.clock, self.dice)
        self.machines = tuple(
            Machine(Node(f"node{number}"), self.site, self.clock, self.weather, self.dice, pace)
            for number in range(NODES)
        )
        for machine in self.machines:
            self.clock.at(self.dice.random() * MINUTE, machine.begin)

    def run(self, hours: float) -> None:
        """Until all are enrolled, at most so long."""
        while self.clock.now < hours * HOUR and not all(machine.enrolment for machine in self.machines):
            self.clock.run(self.clock.now + MINUTE)

    def heard(self) -> Counter[str]:
        return sum((machine.heard for machine in self.machines), Counter())


def check(world: World) -> None:
    """All have joined, each once, and what each has got is what the register says."""
    site, machines = world.site, world.machines
    register = load(dump(site.disk))
    assert register == site.register
    assert set(register.nodes) == {"mymaster", *(machine.node.name for machine in machines)}
    assert sorted(name for _, name, _ in site.enrolled) == sorted(machine.node.name for machine in machines)
    serials = [serial for _, _, serial in site.enrolled]
    assert serials == sorted(set(serials))
    assert register.serial == serials[-1] > register.nodes["mymaster"].grant.serial
    grants = [node.grant for node in register.nodes.values()]
    for values in (
        [granted.identity for granted in grants],
        [granted.wireguard for granted in grants],
        [PLAN.node(name) for name in register.nodes],
        [PLAN.pod_subnet(name) for name in register.nodes],
    ):
        assert len(set(values)) == NODES + 1
    assert (register.pending, register.admitted) == ({}, {})
    for machine in machines:
        node, enrolment = machine.node, machine.enrolment
        assert enrolment is not None
        granted = grant.verify(enrolment.grant, node.name, site.issuer.certificate)
        assert granted == register.nodes[node.name].grant
        assert (granted.identity, granted.wireguard, granted.role) == (node.public, node.wireguard_public, node.role)
        subject = enrolled_subject(PLAN.cluster, node.name, node.role)
        for name, own in enrolment.certificates.items():
            issued = datetime.fromtimestamp(enrolment.time, UTC)
            assert flaw(own, BY_NAME[name], subject, enrolment.authority, issued) is None
        assert revocations.verify(enrolment.revocations, enrolment.authority).entries == ()
    assert sum(len(machine.enrolment.certificates) for machine in machines if machine.enrolment) == NODES / 5
    weather = world.weather
    assert weather.lost > weather.sent / 10
    assert weather.repeated > weather.sent / 20
    assert site.deaths > 10


@pytest.mark.parametrize("seed", [1])
def test_the_key_lets_in_so_many_an_hour_until_all_are_in(seed: int) -> None:
    """At their own pace the nodes would ask 60,000 times in these hours, which takes minutes."""
    world = World("key", seed, pace=60)

    world.run(24)

    check(world)
    times = [when for when, _, _ in world.site.enrolled]
    pairs = zip(times[:-MOST_NAMES_AN_HOUR], times[MOST_NAMES_AN_HOUR:], strict=True)
    assert all(int(later) - int(earlier) >= HOUR for earlier, later in pairs)
    assert times[-1] > NODES // MOST_NAMES_AN_HOUR * HOUR
    heard = world.heard()
    assert heard[Reason.TOO_MANY_NAMES] > NODES
    assert heard["silence"] > NODES / 2


@pytest.mark.parametrize("seed", [1])
def test_an_operator_lets_in_whoever_waits(seed: int) -> None:
    """Some at a time, each time after a look at who waits."""
    world = World("operator", seed)

    def operate() -> None:
        site = world.site
        waiting = sorted(site.register.pending.items(), key=lambda item: item[1].name)
        for fingerprint, _ in world.dice.sample(waiting, min(len(waiting), 80)):
            site.order(admission.admit(site.register, fingerprint))
        world.clock.at(world.clock.now + MINUTE / 3, operate)

    operate()
    world.run(1)

    check(world)
    heard = world.heard()
    assert heard["waits"] >= NODES / 2
    assert heard[Reason.BAD_MAC], "no answer came late"
    assert not heard[Reason.TOO_MANY_NAMES]
