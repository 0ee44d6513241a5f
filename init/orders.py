"""Carries out what clients ask for on the control socket (contract/control.py).

Promises: an order that cannot be carried out is refused with what and why, and changes nothing; during a shutdown only
its end can be changed.
"""

from collections.abc import Callable
from typing import assert_never

from init import linux
from init.boot import Boot, Finished, Run
from init.console import Console
from init.contract.control import Request, Verb
from init.control import Answer, Reply, refusal
from init.jobs import Jobs
from init.shutdown import Action
from init.supervisor import RefusedError, Supervisor

BIND_SECONDS = 30.0
RE_EXEC_TRIES = 3
ALWAYS = (Verb.NOTE, Verb.POWEROFF, Verb.REBOOT)


class Orders:
    """What a verb means to PID 1."""

    def __init__(
        self,
        supervisor: Supervisor,
        jobs: Jobs,
        boot: Boot,
        console: Console,
        bind: Callable[[str], None],
        end: Callable[[Action], None],
        log: Callable[[str], None],
        ending: Callable[[], bool],
    ):
        self._supervisor, self._jobs, self._boot, self._console = supervisor, jobs, boot, console
        self._bind, self._end, self._log, self._ending = bind, end, log, ending
        self.re_exec = 0
        """An exec of PID 1 was asked for, and is tried so often; the loop does it when the answer is out."""
        self._asked = 0
        self._waiting: dict[str, Reply] = {}
        """Who is answered at the end of a one-shot, by its token."""

    def obey(self, request: Request, reply: Reply) -> None:
        """Do it and answer, now or when it is done."""
        try:
            done = self._obey(request, reply)
        except RefusedError as error:
            reply(refusal(str(error), error.hint))
        else:
            if done:
                reply({"ok": True})

    def _obey(self, request: Request, reply: Reply) -> bool:
        """True if it is done; False if the answer comes later."""
        now = linux.now()
        arguments = request.arguments
        if self._ending() and request.verb not in ALWAYS:
            raise RefusedError("the machine is going down", "wait for it to come back")
        match request.verb:
            case Verb.START:
                self._supervisor.start(arguments["service"], now)
            case Verb.STOP:
                self._supervisor.stop(arguments["service"])
            case Verb.RESTART:
                self._supervisor.restart(arguments["service"], now)
            case Verb.READY:
                self._supervisor.agent_says(arguments["service"], arguments["ready"], now)
            case Verb.NOTE:
                self._console.status(arguments["text"], now)
            case Verb.MOUNTS:
                self._mount(arguments["directory"], reply)
                return False
            case Verb.POWEROFF | Verb.REBOOT:
                self._end(Action(request.verb.value))
            case Verb.RE_EXEC:
                if not self._jobs.idle or not self._boot.idle:
                    raise RefusedError("a one-shot is under way", "try again in a moment")
                self.re_exec = RE_EXEC_TRIES
            case Verb.STATUS:
                raise AssertionError("a stream is the server's own affair")
            case _:
                assert_never(request.verb)
        return True

    def mend(self) -> None:
        """After an exception: who waits for the end of a one-shot that was lost is told so."""
        for token in self._waiting.keys() - self._jobs.tokens():
            self._answer(token, refusal("PID 1 has a defect: the end of it was lost", "ask again"))

    def _answer(self, token: str, answer: Answer) -> None:
        self._waiting[token](answer)
        del self._waiting[token]

    def _mount(self, directory: str, reply: Reply) -> None:
        def done(result: Finished) -> None:
            text = result.output.decode(errors="replace").strip() or "it took too long"
            self._log(f"mounts {directory}: {'done' if result.code == 0 else text}")
            self._answer(token, {"ok": True} if result.code == 0 else refusal(text, "see hepto logs init"))

        self._asked += 1
        token = f"mounts {self._asked}"
        self._waiting[token] = reply
        run = Run(call=lambda: self._bind(directory), timeout=BIND_SECONDS, capture=True)
        self._jobs.start(run, done, linux.now(), token)
