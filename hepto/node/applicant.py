"""A node that belongs to somebody else's cluster, or wants to: it joins, and renews in time (trust.md section 3).

Promises: it asks the members that gossip knows, for ever; nothing is believed before the master's proof; a node that
has belonged to a cluster never takes another CA; whatever keeps it out is named in the status, with what to do.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from hepto.api import client
from hepto.api.client import Attempt, Candidate, NobodyError
from hepto.api.exchange import Failure
from hepto.clock.model import JoinTime
from hepto.edge.pump import now as monotonic
from hepto.edge.pump import pause
from hepto.errors import UserError
from hepto.log import Log
from hepto.node.board import TRIED_AGAIN, Board
from hepto.node.desired import Identity
from hepto.node.founder import seconds_until
from hepto.node.keys import Keys
from hepto.pki.driver import Pki
from hepto.pki.joiner import Enrolment, Joiner, Renewer, Waiting
from hepto.pki.reasons import PkiError
from hepto.pki.reasons import Reason as Refusal
from hepto.values import Secret
from init.contract.status import Reason

JOIN: Final = "join"
SOON, RARELY = 1.0, 30.0
"""Seconds between two tries, doubling."""


class Applicant:
    """`key` gives the gossip key, `candidates` the members to ask, best first, `asker` what they are told of us."""

    def __init__(
        self,
        board: Board,
        node: Identity,
        keys: Keys,
        pki: Pki,
        *,
        key: Callable[[], Secret],
        candidates: Callable[[], Awaitable[tuple[Candidate, ...]]],
        asker: Callable[[], client.Membership],
        is_master: Callable[[str], bool],
        told: Callable[[JoinTime], None],
        seen: Callable[[], tuple[tuple[str, bytes], ...]],
    ):
        """`told` hears a master's time with each answer; `seen` are the names and grants that gossip shows."""
        self._board = board
        self._node = node
        self._pki = pki
        self._candidates = candidates
        self._key = key
        self._asker = asker
        self._is_master = is_master
        self._told = told
        self._seen = seen
        self._sent = 0.0
        self._log = Log("join")
        self._dice = random.SystemRandom()
        self._keys = keys
        self.fresh = True
        """Something has come that nobody has looked at yet."""
        self._news = False
        self._hold = 0.0
        self._wake = asyncio.Event()
        self._forgotten = False
        """The master says that it does not know us any more: join again."""

    @property
    def master(self) -> str:
        """The node whose apiserver this one uses."""
        found = self._pki.master()
        assert found is not None, "asked when settled"
        return found[0]

    def settle(self, now: datetime, *, plausible: bool) -> bool:
        """True if this node has been let in; an expired certificate is renewed, not waited for."""
        del now, plausible
        if not self._is_enrolled:
            what, hint = "this node has not joined the cluster yet", "it needs a member that gossip can reach"
            if JOIN not in self._board.facts.problems:
                self._board.problem(JOIN, Reason.MASTER, "", what, hint)
            return False
        return True

    @property
    def _is_enrolled(self) -> bool:
        return self._pki.grant() is not None and self._pki.master() is not None

    def renew(self, within: float = 0.0) -> None:
        """Ask a master, whether anything is due or not, at some moment `within` so many seconds."""
        self._news = True
        self._hold = self._dice.random() * within
        self._wake.set()

    def _wants(self, now: datetime) -> bool:
        return self._news or bool(self._pki.due(now)) or self._pki.grant_due(now, self._keys.wireguard)

    def pause(self, now: datetime) -> float:
        """Seconds until something is due."""
        return seconds_until(self._pki.deadline(now), now)

    async def run(self) -> None:
        """Until cancelled. What cannot be read or written here is named, and tried again."""
        delay = SOON
        while True:
            try:
                settled = await self._step()
            except NobodyError as error:
                settled = False
                self._forgotten = self._forgotten or any(map(_not_enrolled, error.attempts))
                self._explain(error.attempts)
            except (UserError, OSError) as error:
                settled = False
                self._board.failed(JOIN, error, Reason.CERTIFICATE)
            if settled:
                delay = SOON
                await self._sleep(self.pause(datetime.now(UTC)))
            else:
                await self._sleep(delay * (1 + self._dice.random() / 4))
                delay = min(delay * 2, RARELY)

    async def _step(self) -> bool:
        """One round; True if nothing is to be done before the next deadline. Raises NobodyError, UserError, OSError."""
        if self._is_enrolled and not self._wants(datetime.now(UTC)):
            return True
        hold, self._hold = self._hold, 0.0
        await pause(hold)
        candidates = await self._candidates()
        if not candidates:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RARELY):
                    await self._board.changed()
            return False
        # What was issued may be due at once: master and node may differ in the time, or in what a profile says.
        return await self._ask(candidates, datetime.now(UTC)) and not self._wants(datetime.now(UTC))

    async def _sleep(self, seconds: float) -> None:
        """So long, or until a renewal is ordered."""
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _ask(self, candidates: tuple[Candidate, ...], now: datetime) -> bool:
        """One round; True if what is due has come. Raises NobodyError."""
        certificate_keys = self._pki.new_keys(now)
        asker, identity, mesh, key = self._asker(), self._keys.identity, Secret(self._keys.mesh), self._key()
        if self._is_enrolled and not self._forgotten:

            def renewer() -> Renewer:
                self._sent = monotonic()
                return self._pki.renewer(identity, mesh, key)

            answer = await client.renew(candidates, renewer, certificate_keys, asker, self._is_master)
        else:

            def joiner() -> Joiner:
                self._sent = monotonic()
                return self._pki.joiner(identity, mesh, key, self._node.config.ca, seen=self._seen())

            answer = await client.join(candidates, joiner, certificate_keys, asker)
        if isinstance(answer, Waiting):
            what = f"an operator has to admit this node: its fingerprint is {answer.fingerprint}"
            self._board.problem(JOIN, Reason.OPERATOR, "", what, f"run `hepto node admit {answer.fingerprint}`")
            return False
        self._told(JoinTime(answer.time - (self._sent + monotonic()) / 2))
        self._take(answer, certificate_keys)
        return True

    def _take(self, answer: Enrolment, keys: Mapping[str, ec.EllipticCurvePrivateKey]) -> None:
        self._pki.enrol(answer, keys)
        self._forgotten = self._news = False
        self.fresh = True
        self._log.info("enrolled", master=answer.master_name, certificates=sorted(answer.certificates))
        self._board.solved(JOIN)
        self._board.work.set()

    def _explain(self, attempts: tuple[Attempt, ...]) -> None:
        """Of several the one that says most: a refusal of a master, then what does not fit, then silence."""
        worst = min(attempts, key=lambda attempt: ORDER.index(attempt.failure), default=None)
        if worst is None:
            return
        hint = HINTS.get(worst.failure, TRIED_AGAIN)
        if worst.failure is Failure.REJECTED:  # by a master: what is wrong, and after the last semicolon what to do
            detail = worst.cause.detail if worst.cause is not None and worst.cause.detail else worst.detail
            what, _, advice = detail.rpartition("; ")
            self._board.problem(JOIN, Reason.MASTER, "", what or detail, advice if what else hint)
            return
        what = worst.cause.detail if worst.cause is not None and worst.cause.detail else f"it {worst.failure.value}"
        reason = Reason.MASTER if worst.failure is Failure.NO_MASTER else Reason.ANCHOR
        self._board.problem(JOIN, reason, str(worst.candidate), what, hint)


def _not_enrolled(attempt: Attempt) -> bool:
    return isinstance(attempt.cause, PkiError) and attempt.cause.kind is Refusal.NOT_ENROLLED


ORDER: Final = (
    Failure.REJECTED,
    Failure.CERTIFICATE,
    Failure.BAD_ANSWER,
    Failure.ANOTHER_CLUSTER,
    Failure.WRONG_KEY,
    Failure.NO_MASTER,
    Failure.BUSY,
    Failure.NOT_HEPTO,
    Failure.CLOSED,
    Failure.UNREACHABLE,
    Failure.REFUSED,
    Failure.SILENT,
)
HINTS: Final = {
    Failure.NO_MASTER: "boot the master; this node waits for it",
    Failure.WRONG_KEY: "give all nodes of a cluster the same hepto.key",
    Failure.ANOTHER_CLUSTER: "check hepto.anchor and hepto.cluster",
    Failure.CERTIFICATE: "check hepto.ca, and who answers at that address",
    Failure.BAD_ANSWER: "check hepto.ca and hepto.anchor; of a cluster that was made anew, empty the data directory",
}
