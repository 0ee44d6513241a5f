"""Agents in namespaces of their own on one bridge: they find each other by gossip, join, and know each other's keys."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from hepto.address import AddressPlan
from tests.kernel.net.test_underlay import ADVERTISEMENT
from tests.kernel.net.world import PATIENCE, ROOT, helper, ip, isolated, settle
from tests.vm.harness import eventually

KEY = "11" * 32
IDENTITY = "7a" * 32
DAY = 86400.0
STRANGER = "2001:db8:77::5"
WORKER = {"node-api", "kubelet-client", "kubelet-server", "kube-proxy", "coredns"}


class Member:
    """One node's agent in its own process and namespaces; `line` is its kernel command line."""

    def __init__(self, name: str, line: str, key: str = KEY, clock: float | None = None):
        argv = [
            "nsenter",
            f"--net=/run/netns/{name}",
            "unshare",
            "--mount",
            "--uts",
            sys.executable,
            "-W",
            "error",
            "-m",
        ]
        self.name = name
        self.process = subprocess.Popen(
            [*argv, "tests.kernel.net.member", line, key, *([] if clock is None else [str(clock)])],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        try:
            assert self._line() == "begun"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, words: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        return self._line()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("status")
        return found

    def _line(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"{self.name} has ended"
        return json.loads(line)

    def until(self, look: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """Until its status looks so."""
        found: dict[str, Any] = {}

        def looked() -> object:
            found.update(self.status())
            return look(found)

        eventually(looked, f"{self.name}: {what}", PATIENCE, lambda: found.get("line"), 0.1)
        return found


@contextmanager
def bridge(*names: str) -> Iterator[None]:
    """A link with a router that advertises a prefix, and a namespace on it for each name."""
    ip("link", "add", "lan", "type", "bridge", "mcast_snooping", "0")
    ip("link", "set", "lan", "up")
    for name, link in (("router", "eth0"), *((name, "u0") for name in names)):
        ip("netns", "add", name)
        ip("link", "add", f"to-{name}", "type", "veth", "peer", "name", link, "netns", name)
        ip("link", "set", f"to-{name}", "master", "lan", "up")
        ip("link", "set", "lo", "up", inside=name)
    ip("address", "add", "fe80::1/64", "dev", "eth0", "nodad", inside="router")
    ip("link", "set", "eth0", "up", inside="router")
    settle(("router", "eth0"))
    with helper("tests.kernel.net.router", ADVERTISEMENT.hex(), inside="router"):
        yield


def line(name: str, role: str, *more: str) -> str:
    words = ["hepto.cluster=demo", f"hepto.name={name}", f"hepto.role={role}", "hepto.iface=u0", "hepto.debug=no-kube"]
    return " ".join([*words, *more])


def asked_for_its_time(address: object, inside: str) -> str:
    """What the node there answers to whoever asks from `inside`."""
    argv = ["ip", "netns", "exec", inside, sys.executable, "-m", "tests.kernel.net.caller", str(address)]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def enrolled(found: dict[str, Any]) -> bool:
    return bool(found.get("authority")) and not found["waits"]


@contextmanager
def master(*more: str) -> Iterator[tuple[Member, str]]:
    """The node that makes the cluster, and the word that names it as an anchor."""
    with Member("one", line("one", "full", *more)) as one:
        found = one.until(lambda found: found["network"] and found["network"]["addresses"], "has an address")
        yield one, f"hepto.anchor=[{found['network']['addresses'][0]}]"


def wished(member: Member) -> list[str]:
    return [peer["name"] for peer in member.ask("wished")]


@isolated
def test_a_node_joins_by_an_anchor_and_both_know_each_other() -> None:
    with bridge("one", "two"), master() as (one, anchor), Member("two", line("two", "node", anchor)) as two:
        joined = two.until(lambda found: found["authority"], "has joined")

        assert joined["authority"] == one.status()["authority"]
        eventually(lambda: wished(one) == ["two"], "one wants two in its mesh")
        eventually(lambda: wished(two) == ["one"], "two wants one in its mesh")
        assert one.status()["workers"] == ["two"]
        for name in WORKER:
            assert two.ask(f"read /var/lib/hepto/demo/two/pki/{name}.pem").startswith("-----BEGIN CERTIFICATE-----")
        assert two.ask("read /var/lib/hepto/demo/two/pki/ca.pem") is None, "a worker has no key of the CA"


def refusal(member: Member, reason: str, *words: str) -> None:
    """The status says what keeps it out, and it has nothing of the cluster."""

    def said(found: dict[str, Any]) -> bool:
        waits = [wait for wait in found["waits"] if wait["reason"] == reason]
        return any(all(word in f"{wait['what']} {wait['hint']}" for word in words) for wait in waits)

    found = member.until(said, f"waits for {reason}: {words}")
    assert not found["authority"]
    assert wished(member) == []


@isolated
def test_who_may_not_be_in_is_told_why_and_changes_nothing() -> None:
    with bridge("one", "second", "wrong", "pinned", "twin"), master() as (one, anchor), ExitStack() as stack:
        register = eventually(lambda: one.ask("read /var/lib/hepto/demo/one/pki/register.json"), "one is enrolled")
        second = stack.enter_context(Member("second", line("second", "full", anchor)))
        wrong = stack.enter_context(Member("wrong", line("wrong", "node", anchor), "22" * 32))
        pinned = stack.enter_context(Member("pinned", line("pinned", "node", anchor, f"hepto.ca={'0' * 64}")))
        twin = stack.enter_context(Member("twin", line("one", "node", anchor)))

        refusal(second, "master", "has its master, one", "hepto.role=node")
        refusal(pinned, "anchor", "hepto.ca")
        refusal(wrong, "anchor", "no member has answered")
        refusal(twin, "master", "one is another machine's name", "hepto node replace one")
        assert one.ask("read /var/lib/hepto/demo/one/pki/register.json") == register
        assert wished(one) == []


@isolated
def test_a_node_whose_clock_is_at_1970_joins_and_has_the_time() -> None:
    with bridge("one", "two"), ExitStack() as stack:
        one = stack.enter_context(Member("one", line("one", "full")))
        found = one.until(lambda found: found["network"] and found["network"]["addresses"], "has an address")
        anchor = f"hepto.anchor=[{found['network']['addresses'][0]}]"
        two = stack.enter_context(Member("two", line("two", "node", anchor), clock=5.0))
        joined = two.until(lambda found: found["authority"], "has joined")

        assert joined["clock"] == "peers"
        assert abs(two.ask("clock") - time.time()) < DAY
        eventually(lambda: abs(kept_clock(two) - time.time()) < DAY, "it keeps the time")


def kept_clock(member: Member) -> float:
    kept: dict[str, Any] = json.loads(member.ask(f"read /var/lib/hepto/demo/{member.name}/state.json"))
    return float(kept["clock"])


@isolated
def test_only_peers_on_the_mesh_are_told_the_time() -> None:
    """A pair of veths plays wg0: behind it the firewall lets every address in that is not a pod's."""
    plan = AddressPlan("demo")
    with bridge("one", "two"), Member("one", line("one", "full")) as one:
        found = one.until(lambda found: found["authority"] and found["network"]["addresses"], "has founded")
        ip("link", "add", "wg0", "netns", "one", "type", "veth", "peer", "name", "wg0", "netns", "two")
        for name in ("one", "two"):
            ip("address", "add", f"{plan.node(name)}/128", "dev", "wg0", "nodad", inside=name)
            ip("link", "set", "wg0", "up", inside=name)
            ip("route", "add", str(plan.nodes), "dev", "wg0", inside=name)
        settle(("one", "wg0"), ("two", "wg0"))

        told = asked_for_its_time(plan.node("one"), "two")
        assert told.startswith("200 {"), told
        assert json.loads(told.removeprefix("200 "))["confidence"] == 0
        ip("address", "del", f"{plan.node('two')}/128", "dev", "wg0", inside="two")
        ip("address", "add", f"{STRANGER}/128", "dev", "wg0", "nodad", inside="two")
        ip("route", "add", f"{STRANGER}/128", "dev", "wg0", inside="one")
        assert asked_for_its_time(plan.node("one"), "two") == "closed the connection"
        assert asked_for_its_time(found["network"]["addresses"][0], "router") == "closed the connection"
        assert one.status()["refused"] == {"calls": {"not-on-the-mesh": 2}}


@isolated
def test_a_node_that_has_lost_its_saved_time_gets_another_mesh_key_and_a_grant_for_it() -> None:
    """A worker from its master, a master from itself, which its worker still believes."""

    with bridge("one", "two"), ExitStack() as stack:
        one = stack.enter_context(Member("one", line("one", "full")))
        found = one.until(lambda found: found["network"] and found["network"]["addresses"], "has an address")
        anchor = f"hepto.anchor=[{found['network']['addresses'][0]}]"
        two = stack.enter_context(Member("two", line("two", "node", anchor)))
        forget_and_renew(two, one)
        forget_and_renew(one, two)


def forget_and_renew(member: Member, other: Member) -> None:
    before = eventually(lambda: key_wished(other), f"{other.name} wants {member.name} in its mesh")
    assert member.ask("forget") == "begun"
    eventually(lambda: key_wished(other) not in ("", before), f"{other.name} wants {member.name} with another key")
    member.until(lambda found: found["authority"] and not waits_for(found, "wg0"), "waits no longer for a grant")


def key_wished(member: Member) -> str:
    """The mesh key of the one other node, empty while that is not known."""
    return next((str(peer["key"]) for peer in member.ask("wished")), "")


def waits_for(found: dict[str, Any], subject: str) -> bool:
    return any(wait["subject"] == subject for wait in found["waits"])


@isolated
def test_a_node_without_a_disk_is_itself_at_every_boot_by_the_identity_that_it_is_given() -> None:
    """Nothing is kept between its lives; without the identity it is a stranger that takes a name."""
    identity = f"hepto.identity={IDENTITY}"

    with bridge("one", "two"), master() as (one, anchor):
        for life in range(2):
            with Member("two", line("two", "node", anchor, identity)) as two:
                two.until(lambda found: found["authority"], f"belongs in its life {life}")
                assert not two.ask("read /var/lib/hepto/demo/two/identity/identity.pem")
        with Member("two", line("two", "node", anchor)) as stranger:
            found = stranger.until(lambda found: "another machine's name" in json.dumps(found["waits"]), "is refused")
            assert not found["authority"]
        assert IDENTITY not in json.dumps(one.status())
