"""Three nodes: power-on of the third to its Ready, and what a pod of another node costs against bare WireGuard.

    join      seconds of the host's clock from power-on of the third node (the others are Ready) until it is Ready by
              its own word; `again`: after a reset, when it belongs to the cluster already
    transfer  seconds of one TCP stream of 2 MiB (busybox nc) from a pod on the second node to a pod on the third, and
              from the one node to the other through wg0, in turn
    latency   milliseconds of a round trip, the mean of 20, the same two ways
    elsewhere seconds from the end of the third node's power to its pod running on another node, beside what upstream's
              defaults are made of: 50 s until a node is held for lost, 300 s that its pods are tolerated there
    memory    MiB (PSS) of the agent on each of the three nodes

Emulated processors encrypt and forward a hundred times slower than real ones: only ratios mean anything.
"""

import argparse
import dataclasses
import json
import re
import secrets
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import guest, report
from bench.report import Row, Target
from hepto.address import AddressPlan
from hepto.cli.progress import Progress
from hepto.edge.cache import cache_directory
from hepto.errors import UserError
from hepto.lab import boot, client, demo, plan, state
from hepto.lab.client import LabClient

CLUSTER = "bench"
LIMIT_SECONDS = 1200.0
BLOCKS = 32
"""Of 64 KiB."""
PORT = 9099
NODE, POD = "node to node", "pod to pod"
UPSTREAM = 350.0
"""Seconds: node-monitor-grace-period and the toleration of unreachable nodes."""
TARGETS = (Target("transfer", POD, NODE, 1.25), Target("latency", POD, NODE, 1.25))

# What has arrived is counted by the receiver and sent back: the sender's clock stops when all of it is there.
LISTEN = f"nc -l -p {PORT} -e wc -c"
SEND = f"""
while :; do
  read begin _ < /proc/uptime
  count=$(dd if=/dev/zero bs=65536 count={BLOCKS} 2>/dev/null | nc {{address}} {PORT} 2>/dev/null)
  [ "$count" ] && break
done
read end _ < /proc/uptime
echo "$begin $end $count"
"""
PING = "ping6 -q -c 20 -i 0.2 {address}"


@dataclasses.dataclass(frozen=True)
class End:
    """One end of a path, and how a script is run there."""

    address: str
    argv: Callable[[str], tuple[str, tuple[str, ...]]]
    """The node to ask, and what it runs, from a script."""


def run(connection: LabClient, end: End, script: str) -> str:
    """The script's output. Raises UserError."""
    node, argv = end.argv(script)
    done = connection.run(node, *argv, timeout=300)
    if done.status:
        raise UserError(f"a script on {node} ended with {done.status}: {script}", done.stderr.decode(errors="replace"))
    return done.text


def transfer(where: state.Place, sender: End, receiver: End) -> float:
    """Seconds."""
    with LabClient(where) as listening, LabClient(where) as sending:
        node, argv = receiver.argv(LISTEN)
        listening.request(node, argv)
        begin, end, count = run(sending, sender, SEND.format(address=receiver.address)).split()
    if int(count) != BLOCKS * 65536:
        raise UserError(f"{count} bytes have arrived", "run it again")
    return float(end) - float(begin)


def latency(connection: LabClient, sender: End, receiver: End) -> float:
    """Milliseconds. Raises UserError."""
    said = run(connection, sender, PING.format(address=receiver.address))
    found = re.search(r"min/avg/max = [\d.]+/([\d.]+)/", said)
    if found is None:
        raise UserError("no echo came back", said)
    return float(found[1])


def node_end(name: str) -> End:
    """A node's mesh address."""
    return End(str(AddressPlan(CLUSTER).node(name)), lambda script: (name, ("/bin/sh", "-c", script)))


def pod_end(pod: demo.Pod) -> End:
    """A pod's address; its scripts are run by the first node's kubectl."""

    def argv(script: str) -> tuple[str, tuple[str, ...]]:
        words = ("exec", pod.name, "--", "/bin/busybox", "sh", "-c", script)
        return "one", boot.kubectl_argv(CLUSTER, "one", words)

    return End(pod.address, argv)


def wait(connection: LabClient, name: str) -> float:
    """Seconds until the node is Ready."""
    started = time.monotonic()
    connection.wait_for(name, lambda seen: seen["channel"], LIMIT_SECONDS)
    boot.wait_node(connection, name, started + LIMIT_SECONDS, Progress())
    return time.monotonic() - started


def measure(connection: LabClient, runs: int) -> list[Row]:
    """All rows of a lab in which the third node is off."""
    wait(connection, "one")
    wait(connection, "two")
    connection.power("three", "on")
    rows = [Row("first", "join", wait(connection, "three"), "s")]
    print(f"join: {rows[0].value:.1f} s", flush=True)
    found = {pod.node: pod for pod in demo.show_all(connection, Progress())}
    paths = {NODE: (node_end("two"), node_end("three")), POD: (pod_end(found["two"]), pod_end(found["three"]))}
    for number in range(1, runs + 1):
        for variant, (sender, receiver) in paths.items():
            rows.append(Row(variant, "transfer", transfer(connection.where, sender, receiver), "s"))
            rows.append(Row(variant, "latency", latency(connection, sender, receiver), "ms"))
            print(f"run {number}: {variant}: {rows[-2].value:.2f} s, {rows[-1].value:.2f} ms", flush=True)
    rows += [Row(name, "memory", memory(connection, name), "MiB") for name in ("one", "two", "three")]
    boots = connection.node_state("three")["boots"]
    connection.power("three", "reset")
    connection.wait_for("three", lambda seen: seen["boots"] > boots, 60)
    rows.append(Row("again", "join", wait(connection, "three"), "s"))
    rows += [Row("pod", "elsewhere", elsewhere(connection), "s"), Row("upstream", "elsewhere", UPSTREAM, "s")]
    return rows


AGENT = """
for process in /proc/[0-9]*; do
  read -r name < $process/comm && [ "$name" = hepto-agent ] && grep "^Pss:" $process/smaps_rollup
done
"""


def memory(connection: LabClient, node: str) -> float:
    """MiB of the agent there. Raises UserError."""
    found = re.search(r"Pss:\s+(\d+) kB", connection.run(node, "/bin/sh", "-c", AGENT).text)
    if found is None:
        raise UserError(f"{node} has no agent", "run it again")
    return int(found[1]) / 1024


def elsewhere(connection: LabClient) -> float:
    """Seconds until a pod of the third node, whose power ends, runs on another one. Raises UserError."""
    kubectl = demo.Kubectl(connection)
    kubectl.start("deployment/away", {"apiVersion": "v1", "kind": "List", "items": [away()]})
    connection.power("three", "off")
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < LIMIT_SECONDS:
        items = json.loads(kubectl("get", "pods", "-l", "app=away", "-o", "json").stdout)["items"]
        ready = [item["spec"]["nodeName"] for item in items if _is_ready(item)]
        if any(node != "three" for node in ready):
            return passed
        select.select([], [], [], 1.0)
    raise UserError("the pod did not come elsewhere", "hepto lab kubectl -- get pods -A  may say why")


def _is_ready(item: dict[str, Any]) -> bool:
    conditions = item["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def away() -> dict[str, Any]:
    """A Deployment of one pod that prefers the third node."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["three"]}]}
    prefers = [{"weight": 100, "preference": term}]
    labels = {"app": "away"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "away"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": prefers}},
                    "containers": [demo.container("web", demo.SERVE)],
                },
            },
        },
    }


def main(arguments: list[str]) -> int:
    """One lab, in which the two ways take turns."""
    parser = argparse.ArgumentParser(prog="bench.cluster")
    parser.add_argument("--image", type=Path, default=guest.DEFAULT_IMAGE)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args(arguments)
    image = boot.check_image(given.image)
    found = guest.find_emulator(image)
    wish = plan.Wish(name="bench-cluster", image=str(image), cluster=CLUSTER, nodes=3)
    lab = plan.lab(wish, found, secrets.token_hex(32))
    lab = dataclasses.replace(
        lab, nodes=tuple(dataclasses.replace(node, on=node.name != "three") for node in lab.nodes)
    )
    where = state.place(lab.name)
    with boot.turn(cache_directory(), found.accelerator, Progress()):
        leash = client.make(lab, where)
        try:
            with LabClient(where) as connection:
                rows = measure(connection, given.runs)
        finally:
            leash.break_off()
    report.finish("cluster", rows, TARGETS)
    return 0


if __name__ == "__main__":
    report.run(main)
