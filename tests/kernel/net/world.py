"""Network namespaces for tests: the node's own, and others with a router, a host outside and a pod.

`isolated` runs a test in a process with network and mount namespaces of its own, so that nothing of it outlives it.
"""

import asyncio
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
PATIENCE = 15.0
EMPTY = ("/run", "/var/lib/hepto", "/etc/cni/net.d")
"""The image has these directories, the machine that tests need not."""
DROPPED = 0.6
"""Seconds after which a connection that nobody answers counts as dropped; answers come in under a millisecond."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def isolated(test: Callable[[], None]) -> Callable[[], None]:
    """The test in namespaces of its own, with what a node writes to (EMPTY) empty."""

    @needs_root
    @pytest.mark.kernel
    @functools.wraps(test)
    def run() -> None:
        call = f"import {test.__module__} as module; from tests.kernel.net.world import enter; "
        call += f"enter(module.{test.__name__}.__wrapped__)"
        argv = ["unshare", "--net", "--mount", "--uts", sys.executable, "-W", "error", "-c", call]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def enter(test: Callable[[], None]) -> None:
    """In the new namespaces: make them usable, then run."""
    for path in EMPTY:
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
    test()


def ip(*arguments: str, inside: str = "") -> list[dict[str, Any]]:
    """iproute2; what it prints as JSON. `inside` names a namespace."""
    namespace = ["-n", inside] if inside else []
    done = subprocess.run(["ip", "-j", *namespace, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
    found: list[dict[str, Any]] = json.loads(done.stdout) if done.stdout.strip() else []
    return found


def namespace(name: str, link: str, peer: str, *addresses: str) -> None:
    """A namespace with one link `eth0`, whose other end is `peer` here, called `link`."""
    ip("netns", "add", name)
    ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
    ip("link", "set", "lo", "up", inside=name)
    for path, inside in (("eth0", name), (link, "")):  # a lost question for a neighbour would cost a second
        variable(f"net/ipv6/neigh/{path}/retrans_time_ms", "50", inside=inside)
    variable("net/ipv6/conf/eth0/addr_gen_mode", "1", inside=name)  # only the addresses that are given
    for address in addresses:
        ip("address", "add", address, "dev", "eth0", "nodad", inside=name)
    ip("link", "set", "eth0", "up", inside=name)


def settle(*links: tuple[str, str]) -> None:
    """Wait until links, as (namespace, link), can be used: the kernel announces carriers once a second only."""
    end = time.monotonic() + PATIENCE
    for inside, link in links:
        while ip("link", "show", "dev", link, inside=inside)[0]["operstate"] != "UP":
            assert time.monotonic() < end, f"{link} has no carrier"
            time.sleep(0.02)


def variable(name: str, value: str | None = None, inside: str = "") -> str:
    """Read or set a kernel variable."""
    prefix = ["ip", "netns", "exec", inside] if inside else []
    path = f"/proc/sys/{name}"
    if value is not None:
        subprocess.run([*prefix, "sh", "-c", f"echo {value} > {path}"], check=True)
    return subprocess.run([*prefix, "cat", path], capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def helper(module: str, *arguments: str, inside: str = "") -> Iterator["subprocess.Popen[str]"]:
    """A Python program beside the test, ready when it prints a line."""
    prefix = ["ip", "netns", "exec", inside] if inside else []
    argv = [*prefix, sys.executable, "-m", module, *arguments]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), f"{module} has not become ready"
            yield process
        finally:
            process.kill()


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that announces itself nowhere."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - it is the kernel's state, too
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE} s: {what}") from None
