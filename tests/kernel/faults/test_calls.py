"""Every call of PID 1 where raising has found a defect, and a sample of the rest. `make bench-faults` takes all."""

from pathlib import Path

import pytest

from tests.kernel.faults.campaign import BOOT, ENDING, NOT_REACHED, Outcome, campaign, survey
from tests.kernel.faults.sites import Site, sites
from tests.kernel.faults.stories import STORIES

pytestmark = pytest.mark.kernel

SAMPLED = ("death", "talk", "changed", "orders", "bad file")
EVERY = 11
FOUND = {
    ("init/control.py", "Control._serve", "decode"): "death",
    ("init/control.py", "Control._admit", "self._poller.watch"): "death",
    ("init/linux.py", "accept", "Socket"): "death",
    ("init/linux.py", "fork_into", "_locked_libc.syscall"): "death",
    ("init/jobs.py", "Jobs.ended", "job.done"): "talk",
    ("init/orders.py", "Orders._mount.done", "self._answer"): "talk",
    ("init/service.py", "Supervised.configure", "self.restart"): "changed",
    ("init/service.py", "Supervised.emptied", "self._enter"): "stubborn",
    ("init/cgroups.py", "Cgroups.kill", "kill"): "stubborn",
    ("init/cgroups.py", "members", "read"): "changed",
    ("init/directory.py", "_read", "os.open"): "changed",
    ("init/pid1.py", "Init._survive", "os.getpid"): "nothing succeeds",
    ("init/pid1.py", "Init._perhaps_re_exec", "self._execute"): "re exec",
    ("init/pid1.py", "Init._take_over", "self._runtime.adopt"): "re exec",
    ("init/pid1.py", "Init.__init__", "Poller"): "re exec",
    ("init/pid1.py", "Init._notified", "self._receiver.receive"): "readiness",
    ("init/inbox.py", "Inbox.add", "self._items.append"): "readiness",
    ("init/logring.py", "Segment.size", "os.stat"): "logger",
    ("init/handover.py", "read", "json.loads"): "re exec",
    ("init/control.py", "Control.open", "server.fileno"): "re exec",
    ("init/supervisor.py", "Supervisor._inherit", "self.processes.adopt"): "re exec",
    ("init/phases.py", "module", "Phase"): "re exec",
    ("init/phases.py", "keys", "parse"): BOOT,
    ("init/datadisk.py", "_memory.child", "linux.mount"): BOOT,
    ("init/pid1.py", "Init._start", "self._boot.start"): BOOT,
    ("init/ending.py", "Ending._perform", "self._supervisor.hold"): ENDING,
}
"""A call where a defect was found, and the story that showed it."""


def told(outcome: Outcome) -> str:
    return f"{outcome.site.name} {outcome.error} in {outcome.story}: {outcome.result} {outcome.detail}"


def called(path: str, function: str, call: str) -> Site:
    return next(site for site in sites() if (site.path, site.function, site.call) == (path, function, call))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("story", dict.fromkeys(FOUND.values()))
def test_an_exception_at_a_call_where_one_did_harm_does_none(tmp_path: Path, story: str) -> None:
    reached = {called(*words): shown for words, shown in FOUND.items() if shown == story}

    outcomes = list(campaign(tmp_path, reached))

    assert [told(outcome) for outcome in outcomes if outcome.failed or outcome.result == NOT_REACHED] == []
    assert len(outcomes) == len(reached)


@pytest.mark.long  # minutes on a busy machine
@pytest.mark.timeout(600)
def test_an_exception_at_any_of_many_calls_touches_nothing(tmp_path: Path) -> None:
    wanted = [site for site in sites() if site.path.startswith("init/")]
    reached = survey(tmp_path, wanted, {name: STORIES[name] for name in SAMPLED})
    told_in = {site: story for site, story in reached.items() if story in SAMPLED}
    assert len(told_in) > 400
    sample = dict(list(told_in.items())[::EVERY])

    outcomes = list(campaign(tmp_path, sample))

    assert [told(outcome) for outcome in outcomes if outcome.failed] == []
    assert sum(outcome.result == NOT_REACHED for outcome in outcomes) < len(sample) / 10
