"""The ordered shutdown, step by step."""

from hypothesis import given, settings
from hypothesis import strategies as st

from init.shutdown import (
    KILL_SECONDS,
    LATE,
    STEPS,
    WATCHDOG_SECONDS,
    Action,
    Do,
    Effect,
    Facts,
    Hold,
    Kind,
    Say,
    Shutdown,
)

NAMES = "kubelet kube-proxy containerd coredns kube-scheduler kube-controller-manager kube-apiserver etcd agent logger"
ALL = frozenset((*NAMES.split(), "chrony", "lab"))


def story(facts: Facts, *, obedient: bool = True, action: Action = Action.POWEROFF) -> tuple[list[Effect], float]:
    """Run a shutdown to its end; with `obedient`, everything that is told to end does. Returns effects and seconds."""
    machine, now, effects = Shutdown(action), 0.0, list[Effect]()
    while not machine.over:
        for effect in machine.advance(facts, now):
            effects.append(effect)
            match effect:
                case Hold(names) if obedient:
                    facts = facts._replace(running=facts.running - set(names))
                case Do(Kind.PODS) if obedient:
                    facts = facts._replace(pods=False)
                case Do(Kind.SHIMS) if obedient:
                    facts = facts._replace(shims=False)
                case Do(Kind.KILL) if obedient:
                    facts = facts._replace(children=False, running=frozenset())
        if not machine.over:
            deadline = machine.deadline()
            assert deadline is not None
            now = now if obedient else deadline
    return effects, now


def test_the_order_is_the_design_s() -> None:
    effects, _now = story(Facts(ALL, pods=True, shims=True, children=True))
    order = [effect for effect in effects if not isinstance(effect, Say)]

    assert order == [
        Hold(("kubelet",)),
        Do(Kind.PODS),
        Hold(("kube-proxy", "containerd")),
        Do(Kind.SHIMS),
        Hold(("coredns", "kube-scheduler", "kube-controller-manager", "kube-apiserver")),
        Hold(("chrony",)),
        Hold(("etcd",)),
        Hold(("agent",)),
        Hold(("logger",)),
        Do(Kind.KILL),
        Do(Kind.UNMOUNT),
        Do(Kind.SYNC),
        Do(Kind.END),
    ]


def test_each_step_is_one_line_and_the_last_names_the_end() -> None:
    effects, _now = story(Facts(ALL, children=True), action=Action.REBOOT)
    lines = [effect.text for effect in effects if isinstance(effect, Say)]

    assert lines[0] == f"reboot 1/{len(STEPS)}: stop the kubelet (kubelet)"
    assert lines[-1] == f"reboot {len(STEPS)}/{len(STEPS)}: reboot"


def test_steps_with_nothing_to_do_are_passed_over() -> None:
    effects, _now = story(Facts(frozenset({"agent"})))
    order = [effect for effect in effects if not isinstance(effect, Say)]

    assert order == [Hold(("agent",)), Do(Kind.KILL), Do(Kind.UNMOUNT), Do(Kind.SYNC), Do(Kind.END)]


def test_pods_have_thirty_seconds_then_they_are_killed() -> None:
    machine = Shutdown(Action.POWEROFF)
    facts = Facts(pods=True)
    assert Do(Kind.PODS) in machine.advance(facts, 0.0)
    assert machine.advance(facts, 29.9) == []
    assert Do(Kind.PODS, force=True) in machine.advance(facts, 30.0)
    assert machine.deadline() == 30.0 + KILL_SECONDS
    assert machine.advance(facts, 31.0) == []

    assert Do(Kind.KILL) in machine.advance(facts._replace(pods=False), 32.0)


def test_what_would_not_be_unmounted_is_detached() -> None:
    machine = Shutdown(Action.POWEROFF)
    machine.advance(Facts(), 0.0)
    assert Do(Kind.UNMOUNT) in machine.advance(Facts(), 0.0)
    assert machine.advance(Facts(job=True), 1.0) == []
    assert Do(Kind.DETACH) in machine.advance(Facts(mounted=True), 2.0)

    assert Do(Kind.SYNC) in machine.advance(Facts(), 3.0)


def test_an_unmounting_that_hangs_is_given_up_and_all_is_detached() -> None:
    """Its child has not ended, so nobody knows what it has left."""
    machine, hung = Shutdown(Action.POWEROFF), Facts(job=True)
    machine.advance(Facts(), 0.0)
    assert Do(Kind.UNMOUNT) in machine.advance(Facts(), 0.0)
    assert machine.advance(hung, 14.9) == []
    assert machine.advance(hung, 15.0) == [
        Say("unmount file systems: not done within 15 s, going on"),
        Say(f"poweroff {len(STEPS) - 2}/{len(STEPS)}: detach file systems"),
        Do(Kind.DETACH),
    ]
    assert machine.advance(hung, 19.9) == []

    assert Do(Kind.SYNC) in machine.advance(Facts(), 19.9)
    assert Do(Kind.END) in machine.advance(Facts(), 19.9)


def test_a_shutdown_in_which_nothing_obeys_still_ends_before_the_watchdog() -> None:
    """Services are killed by their own stop time-outs long before; even if not, the end comes."""
    effects, now = story(Facts(ALL, pods=True, shims=True, children=True, job=True, mounted=True), obedient=False)

    assert effects[-1] == Do(Kind.END)
    assert now < 2 * WATCHDOG_SECONDS


def test_the_lab_s_channel_is_left_for_the_last_sweep() -> None:
    effects, _now = story(Facts(ALL))

    assert not [effect for effect in effects if isinstance(effect, Hold) and set(LATE) & set(effect.services)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sets(st.sampled_from(sorted(ALL))), *[st.booleans()] * 5), max_size=60))
def test_steps_only_go_forward_whatever_the_facts(history: list[tuple[set[str], bool, bool, bool, bool, bool]]) -> None:
    machine, at = Shutdown(Action.POWEROFF), -1
    for now, (running, *rest) in enumerate(history):
        machine.advance(Facts(frozenset(running), *rest), float(now))
        step = machine.step
        assert step is not None
        assert STEPS.index(step) >= at
        at = STEPS.index(step)
