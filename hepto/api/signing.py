"""A master's doors: what hepto/pki's signer answers to those who join and renew, once it cannot be forgotten any more.

Promises: a changed register is durable before the answer that follows from it is sent; who is refused without having
proved anything gets no answer; one request at a time, as nothing here waits.
"""

from collections.abc import Callable
from datetime import datetime

from hepto.api.routes import HELLO, JOIN, RENEW, Door, Reply
from hepto.log import Log
from hepto.pki.reasons import PkiError
from hepto.pki.register import Register
from hepto.pki.signer import Answer, Signer

UNAVAILABLE = 503


class Signing:
    """The signer behind HTTP."""

    def __init__(
        self,
        signer: Signer,
        persist: Callable[[Register], None],
        now: Callable[[], datetime],
        changed: Callable[[], None] = lambda: None,
    ):
        """`persist` returns when the register is durable, or raises OSError; `changed` is called after that."""
        self.signer = signer
        self._persist = persist
        self._now = now
        self._changed = changed
        self._log = Log("signer")

    def doors(self) -> dict[str, Door]:
        """By path."""
        return {
            HELLO: self._door(lambda body, now: self.signer.hello(body, now)),
            JOIN: self._door(lambda body, now: self.signer.join(body, now)),
            RENEW: self._door(lambda body, now: self.signer.renew(body, now)),
        }

    def keep(self, register: Register) -> None:
        """Make it durable, and go on with it: also what an operator's order has made. Raises OSError."""
        self._persist(register)
        self.signer.register = register
        self._changed()

    def _door(self, answer: Callable[[bytes, datetime], Answer]) -> Door:
        async def door(body: bytes, server_key: bytes) -> Reply:
            self.signer.server_key = server_key
            try:
                answered = answer(body, self._now())
            except PkiError as error:
                if not error.body:
                    raise
                self._log.info("refused", reason=error.reason, detail=error.detail)
                return Reply(error.status, error.body, error.reason)
            if answered.register is not None:
                try:
                    self.keep(answered.register)
                except OSError as error:
                    self._log.error("nobody can be let in: the register cannot be written", error=error)
                    return Reply(UNAVAILABLE, reason="register-not-written")
            return Reply(answered.status, answered.body)

        return door
