"""How the loop ends a machine: what asks for it, in which order services and pods go, what is refused meanwhile."""

import signal

import pytest

from init.contract.control import Verb
from init.contract.service import Service, Stop
from tests.kernel.machine import SLEEP, Machine, shell

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    ("number", "end"),
    [(signal.SIGTERM, "poweroff"), (signal.SIGPWR, "poweroff"), (signal.SIGINT, "reboot")],
)
def test_a_signal_ends_the_machine(booted: Machine, number: int, end: str) -> None:
    booted.write("one", Service(SLEEP))
    booted.until_state("one", "ready")
    booted.signal(number)
    booted.process.wait(timeout=15)

    assert (booted.root / "end").read_text() == end


def test_poweroff_stops_everything_in_order_and_ends_the_machine(booted: Machine) -> None:
    script = f"trap 'echo %s >> {booted.root}/order; exit' TERM; echo up; while :; do sleep 0.01; done"
    for name in ("etcd", "kube-apiserver", "kubelet", "chrony"):
        after = ("etcd",) if name == "kube-apiserver" else ()
        booted.write(name, shell(script % name, after=after))
        booted.until_state(name, "ready")
        booted.until(lambda name=name: booted.log(name), "its trap is set")  # type: ignore[misc]
    pods = booted.cgroups / "kubepods/pod1"
    pods.mkdir(parents=True)
    booted.write(
        "pod",
        shell(
            f"echo 0 > {pods}/cgroup.procs; trap 'echo pod >> {booted.root}/order; exit' TERM; "
            f"echo up; while :; do sleep 0.01; done"
        ),
    )
    booted.until(lambda: booted.log("pod"), "the pod")
    assert booted.ask(Verb.POWEROFF) == {"ok": True}
    booted.process.wait(timeout=15)

    assert (booted.root / "end").read_text() == "poweroff"
    assert (booted.root / "order").read_text().split() == ["kubelet", "pod", "kube-apiserver", "chrony", "etcd"]
    steps = [line.partition(": ")[2] for line in booted.console().splitlines()]
    assert steps.index("stop the control plane (kube-apiserver)") < steps.index("stop etcd (etcd)")


def test_during_a_shutdown_orders_are_refused_and_the_last_wish_counts(booted: Machine) -> None:
    booted.write("kubelet", shell("trap '' TERM; while :; do sleep 0.1; done", stop=Stop(timeout=1.0)))
    booted.until_state("kubelet", "ready")
    booted.ask(Verb.POWEROFF)
    booted.until_state("kubelet", "stopping")
    assert booted.ask(Verb.START, service="builtin")["error"] == "the machine is going down"
    assert booted.ask(Verb.REBOOT) == {"ok": True}
    booted.process.wait(timeout=15)

    assert (booted.root / "end").read_text() == "reboot"
    assert "kubelet: did not end within 1 s, killed" in booted.console().splitlines()


def test_unmounting_is_done_once_and_waited_for(booted: Machine) -> None:
    booted.until_state("builtin", "ready")
    assert booted.ask(Verb.POWEROFF) == {"ok": True}
    booted.process.wait(timeout=15)

    assert (booted.root / "unmounted").read_text() == "unmount\n"
    assert "not done within" not in booted.console()


def test_what_an_unmounting_that_hangs_has_left_is_detached(booted: Machine) -> None:
    booted.until_state("builtin", "ready")
    (booted.root / "hang").touch()
    assert booted.ask(Verb.POWEROFF) == {"ok": True}
    booted.process.wait(timeout=15)

    assert (booted.root / "end").read_text() == "poweroff"
    assert (booted.root / "unmounted").read_text() == "unmount\ndetach\n"
    steps = [line.partition(": ")[2] for line in booted.console().splitlines()]
    assert steps[-4:] == [
        "not done within 1 s, going on",
        "detach file systems",
        "write out what is left",
        "poweroff",
    ]
