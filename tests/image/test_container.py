"""The built image's root and PID 1 as a container on this machine: what needs no kernel but one with namespaces.

This machine may have no WireGuard and control groups of both versions: so the node runs no Kubernetes, and its control
groups are below those of version 2, wherever they are. The whole, with `hepto start`, is in tests/vm/test_8_host.py.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hepto.cli.host_start import addresses, agent_of
from hepto.host import groups, place, plan
from init.contract.paths import KUBELET_SYSCTLS
from init.linux import CAPABILITIES
from tests.kernel.machine import cgroup2

pytestmark = [pytest.mark.image, pytest.mark.timeout(300)]

PATIENCE = 120.0
ADDRESS = "2001:db8:9::2/64"
INNER = """
import sys
from pathlib import Path
from hepto.host import keeper
sys.exit(keeper.main([], *map(Path, sys.argv[1:])))
"""
ROOT = Path(__file__).parents[2]


class Host:
    """A network namespace with a link, and what stands for the host's /run."""

    def __init__(self, directory: Path, image: Path):
        self.directory, self.image = directory, image / "root.erofs"
        self.run = directory / "run"
        self.data = directory / "data"
        self.keepers: list[subprocess.Popen[bytes]] = []
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link add p0 type veth peer name p1 && ip link set p0 name eth0 up && "
             "ip link set p1 up && echo && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == b"\n"
        self.before = self.links()

    def inside(self, *words: str) -> list[str]:
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *words]

    def links(self) -> set[str]:
        found = subprocess.run(self.inside("ip", "-j", "link"), capture_output=True, check=True).stdout
        return {link["ifname"] for link in json.loads(found)}

    def start(self, name: str, iface: str = "eth0", **given: bytes) -> "Node":
        options = {"key": b"00" * 32, "debug": b"no-kube", "ip": ADDRESS.encode(), **given}
        data = self.data / name
        data.mkdir(parents=True)
        wanted = plan.Plan(
            name=name,
            cluster="demo",
            role="full",
            iface=iface,
            image=str(self.image),
            data=str(data),
            kubernetes=False,
            credentials={
                "flag": {"hepto.name": name.encode(), "hepto.iface": b"eth0", "hepto.cluster": b"demo"},
                "environment": {f"hepto.{key}": value for key, value in options.items()},
            },
        )
        return Node(self, wanted)

    def close(self) -> None:
        for process in (*self.keepers, self.holder):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait()
            process.stdout.close()


class Node:
    """A keeper and its node."""

    def __init__(self, host: Host, wanted: plan.Plan):
        words = host.inside(sys.executable, "-c", INNER, str(host.run), str(cgroup2()))
        self.place = place.Place(host.run / wanted.name)
        self.keeper = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        assert self.keeper.stdin is not None
        self.keeper.stdin.write(plan.dump(wanted))
        self.keeper.stdin.flush()
        self.said: list[dict[str, Any]] = []
        host.keepers.append(self.keeper)

    def hear(self, word: str) -> Any:
        """Its next line with that word in it."""
        assert self.keeper.stdout is not None
        for line in self.keeper.stdout:
            self.said.append(json.loads(line))
            if word in self.said[-1]:
                return self.said[-1][word]
        raise AssertionError(f"it never said {word}: {self.said}")

    def status(self) -> dict[str, Any]:
        """Of its agent, once that has an address."""

        def look() -> dict[str, Any] | None:
            record = self.place.read()
            found = agent_of(record.pid) if record else None
            return found if addresses(found) else None

        status: dict[str, Any] = until(look, f"the agent has an address: {self.said}")
        return status

    def sh(self, script: str) -> str:
        record = self.place.read()
        assert record is not None
        words = ["nsenter", "--target", str(record.pid), "--all", "/bin/sh", "-c", script]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    def stop(self) -> str:
        """Its end in order; how it ended."""
        assert self.keeper.stdin is not None
        self.keeper.stdin.close()
        ended: str = self.hear("ended")
        self.keeper.wait()
        return ended


def until(look: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)
    return found


def bounding(status: str) -> set[str]:
    """The capabilities that a process can ever have."""
    (held,) = re.findall(r"^CapBnd:\s+(\w+)$", status, re.MULTILINE)
    return {name for name, bit in CAPABILITIES.items() if int(held, 16) >> bit & 1}


def variables() -> dict[str, str]:
    return {name: Path("/proc/sys", name).read_text() for name in KUBELET_SYSCTLS}


def loops(image: Path) -> list[Path]:
    """Devices that are the image."""
    found = Path("/sys/block").glob("loop*/loop/backing_file")
    return [path for path in found if path.read_text().strip() == str(image)]


@pytest.fixture
def host(tmp_path: Path, image: Path) -> Iterator[Host]:
    """At its end nothing is left of any node."""
    before = (variables(), Path("/proc/self/mounts").read_text())
    found = Host(tmp_path, image)
    try:
        yield found
        assert list(place.living(found.run)) == []
        assert found.links() == found.before
        assert not found.run.exists()
        assert list(cgroup2().glob("hepto-n*")) == []
        until(lambda: not loops(found.image), "the loop device goes")
        assert (variables(), Path("/proc/self/mounts").read_text()) == before
    finally:
        with contextlib.suppress(OSError):
            for path in cgroup2().glob("hepto-n*"):
                groups.Groups(path).remove()
        found.close()


def test_a_node_runs_from_its_credentials_alone_and_ends_in_order(host: Host) -> None:
    node = host.start("n1")
    node.hear("up")
    status = node.status()

    assert (status["node"], status["cluster"]) == ("n1", "demo")
    assert addresses(status) == [ADDRESS.partition("/")[0]]
    assert status["configuration"]["key"] == {"value": "(secret)", "source": "the environment"}
    assert status["configuration"]["name"]["source"] == "a flag"
    assert status["clock"] == "plausible"
    assert {phase["name"]: phase["state"] for phase in status["phases"]} == dict.fromkeys(
        ("mounts", "services", "data"), "done"
    )
    assert set(status["services"]) == {"logger", "agent"}
    assert (host.data / "n1/state.json").exists()
    assert node.stop() == "poweroff"


def test_of_the_host_it_sees_and_changes_nothing_but_what_it_was_given(host: Host) -> None:
    node = host.start("n1")
    node.hear("up")
    node.status()

    assert node.sh("cat /proc/sys/kernel/hostname").strip() == "n1"
    assert int(node.sh("ls -d /proc/[0-9]* | wc -l")) < 12
    assert "wlan" not in node.sh("ls /sys/class/net")
    assert node.sh("ls /sys/class/net").split() == ["eth0", "lo"]
    assert set(node.sh("ls /sys/fs/cgroup").split()) >= {"init", "hepto"}
    mounts = node.sh("cat /proc/mounts")
    assert str(host.directory) not in "".join(line.split()[1] for line in mounts.splitlines())
    for path, expected in (("kernel/pid_max", "no"), ("kernel/panic", "yes"), ("net/ipv6/conf/lo/hop_limit", "yes")):
        script = f"(read x; echo $x > /proc/sys/{path}) < /proc/sys/{path} 2>/dev/null && echo yes || echo no"
        assert node.sh(script).strip() == expected, path
    # Only looked at: whoever enters from outside has what PID 1 lacks, and would set the host's clock.
    ours, its = bounding(Path("/proc/self/status").read_text()), bounding(node.sh("cat /proc/1/status"))
    assert ours - its == {"CAP_SYS_TIME", "CAP_SYS_MODULE", "CAP_WAKE_ALARM"}
    assert node.stop() == "poweroff"


def test_a_reboot_starts_it_again_with_the_same_address(host: Host) -> None:
    node = host.start("n1")
    first = node.hear("up")
    node.status()
    before = node.sh("cat /sys/class/net/eth0/address")

    node.sh("hepto service reboot")

    assert node.hear("rebooting")
    second = node.hear("up")
    assert second != first
    node.status()
    assert node.sh("cat /sys/class/net/eth0/address") == before
    node.sh("hepto service poweroff")
    assert node.hear("ended") == "poweroff"
    node.keeper.wait()


def test_a_keeper_that_is_killed_takes_its_node_along_and_the_next_look_the_rest(host: Host) -> None:
    node = host.start("n1")
    pid = node.hear("up")
    node.status()
    Path("/proc/sys/kernel/panic").write_text("7")  # as a kubelet does

    record = node.place.read()
    assert record is not None
    os.kill(record.keeper, signal.SIGKILL)
    node.keeper.wait()

    until(lambda: not Path(f"/proc/{pid}").exists(), "PID 1 dies with it")
    assert node.place.directory.exists()
    assert list(place.living(host.run)) == []


def test_two_nodes_are_apart_and_a_name_is_taken_once(host: Host) -> None:
    first, second = host.start("n1"), host.start("n2", ip=b"2001:db8:9::3/64")
    first.hear("up")
    second.hear("up")
    first.status()
    second.status()
    assert second.sh("ping6 -c 1 -W 10 2001:db8:9::2")
    assert second.sh("ls /var/lib/hepto/demo").split() == ["n2"]

    third = Node(host, plan.Plan("n1", "demo", "full", "eth0", str(host.image), str(host.data / "n1")))

    assert third.hear("failed") == "a node n1 runs on this host already"
    third.keeper.wait()
    assert {record.name for record in place.living(host.run)} == {"n1", "n2"}
    assert first.stop() == "poweroff"
    assert second.stop() == "poweroff"


def test_on_a_bridge_a_node_is_a_port(host: Host) -> None:
    script = "ip link add br0 type bridge && ip link set eth0 master br0 && ip link set br0 up"
    subprocess.run(host.inside("sh", "-c", f"{script} && ip address add 2001:db8:9::1/64 dev p1 nodad"), check=True)
    host.before = host.links()

    node = host.start("n1", "br0")
    node.hear("up")

    assert node.said[-1]["attachment"] == "veth"
    node.status()
    assert node.sh("ping6 -c 1 -W 10 2001:db8:9::1")
    assert node.stop() == "poweroff"
