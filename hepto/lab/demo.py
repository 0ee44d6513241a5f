"""What `hepto lab demo` shows.

With one node: two pods behind a Service answer through it, by its name. With several: a pod on each, and each reaches
each by its address and through the Service, and is told the Service's address by the DNS of its own node.

The objects and the reading of what a pod printed are pure; `show` and `show_all` run kubectl on a node. Applying them
again changes nothing.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hepto.errors import UserError
from hepto.lab.boot import Shows, kubectl_argv
from hepto.lab.client import Completed, LabClient

NAME = "hello"
IMAGE = "localhost/hepto/test:1"
"""Baked into every image (image/archive.py): a static busybox."""
PORT = 8080
REPLICAS = 2
ROLLOUT_LIMIT = 240
TRIES = 30
"""Requests a pod until each must have answered: the Service chooses by chance, so one in 10^8 runs is unlucky."""
FAILURES = 3
"""Requests without an answer until a pod gives up: each may take ten seconds."""
APPLY = ("apply", "--server-side", "--force-conflicts", "--validate=false", "-f", "-")
"""Otherwise kubectl first fetches the whole schema, which an emulated apiserver takes half a minute to make."""
LOOKUP = "kubernetes.default.svc.cluster.local"

SERVE = f"mkdir -p /www; hostname > /www/index.html; trap exit TERM; httpd -f -p '[::]:{PORT}' -h /www & wait"
"""With a trap, because the first process of a container does not die of SIGTERM by itself."""


def ask(pods: int, addresses: Sequence[str] = ()) -> str:
    """A shell script that asks DNS, then each address, then the Service until that many pods have answered."""
    direct = "".join(f'echo "reached $(wget -q -T 10 -O - http://[{address}]:{PORT}/)"\n' for address in addresses)
    return f"""
nslookup -type=aaaa {LOOKUP}
{direct}i=0 number=0 failed=0 seen=" "
while [ $i -lt {TRIES * pods} ] && [ $number -lt {pods} ] && [ $failed -lt {FAILURES} ]; do
  i=$((i+1))
  name=$(wget -q -T 10 -O - http://{NAME}/) || {{ failed=$((failed+1)); continue; }}
  case "$seen" in *" $name "*) continue;; esac
  seen="$seen$name " number=$((number+1))
  echo "answer $name"
done
"""


def container(name: str, script: str, **more: Any) -> dict[str, Any]:
    """A container of the test image that runs a shell script."""
    return {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/bin/busybox", "sh", "-c", script],
        **more,
    }


def objects(*, everywhere: bool = False) -> dict[str, Any]:
    """A Deployment of two pods that tell their names, or a DaemonSet of one on each node; and a Service before them."""
    labels = {"app": NAME}
    readiness = {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1}
    workload = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet" if everywhere else "Deployment",
        "metadata": {"name": NAME},
        "spec": {
            **({} if everywhere else {"replicas": REPLICAS}),
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [container("web", SERVE, readinessProbe=readiness)],
                },
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": PORT}]},
    }
    return {"apiVersion": "v1", "kind": "List", "items": [workload, service]}


@dataclass(frozen=True)
class Saw:
    """What the pod that asked has seen."""

    address: str
    """Of the Kubernetes API, by cluster DNS."""
    answers: frozenset[str]
    """The names of the pods that answered through the Service."""
    reached: frozenset[str] = frozenset()
    """The names of the pods that answered at their own addresses."""


@dataclass(frozen=True)
class Pod:
    """One of the pods of several nodes, and what it has seen (None before it was asked)."""

    name: str
    node: str
    address: str
    saw: Saw | None = None


def read(output: str) -> Saw:
    """From what the script of `ask` printed."""
    _, _, resolved = output.partition("Name:")
    found = re.search(r"Address(?: 1)?:\s*(\S+)", resolved)

    def names(word: str) -> frozenset[str]:
        return frozenset(re.findall(rf"^{word} (\S+)$", output, re.MULTILINE))

    return Saw(found[1] if found else "", names("answer"), names("reached"))


def pods(items: Sequence[dict[str, Any]]) -> tuple[Pod, ...]:
    """From `kubectl get pods`: those that run, in the order of their nodes' names."""
    running = [
        Pod(item["metadata"]["name"], item["spec"]["nodeName"], item["status"]["podIP"])
        for item in items
        if item["status"].get("podIP") and "deletionTimestamp" not in item["metadata"]
    ]
    return tuple(sorted(running, key=lambda pod: pod.node))


class Kubectl:
    """kubectl on the first node of a lab, as its administrator."""

    def __init__(self, connection: LabClient) -> None:
        snapshot = connection.snapshot()
        self._connection = connection
        self._cluster = snapshot["cluster"]
        self.node: str = snapshot["nodes"][0]["name"]

    def __call__(self, *arguments: str, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        """Run it. Raises UserError if it fails, with the last thing that it said."""
        argv = kubectl_argv(self._cluster, self.node, arguments)
        done = self._connection.run(self.node, *argv, stdin=stdin, timeout=timeout)
        if done.status:
            last = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise UserError(
                f"kubectl {arguments[0]} failed: {last[-1]}", "hepto lab status  shows what the node waits for"
            )
        return done

    def start(self, workload: str, objects: dict[str, Any]) -> None:
        """Apply objects and wait until all pods of the workload are ready."""
        self(*APPLY, stdin=json.dumps(objects).encode())
        self("rollout", "status", workload, f"--timeout={ROLLOUT_LIMIT}s", timeout=ROLLOUT_LIMIT + 30)

    def ask(self, target: str, script: str) -> Saw:
        """Run the script of `ask` in a pod."""
        return read(self("exec", target, "--", "/bin/busybox", "sh", "-c", script, timeout=300).text)


def show(connection: LabClient, progress: Shows) -> Saw:
    """Start the pods, ask one of them to ask all, and tell what it saw. Raises UserError."""
    kubectl = Kubectl(connection)
    with progress.step("Start two pods behind a Service"):
        kubectl.start(f"deployment/{NAME}", objects())
    with progress.step("Ask the Service from a pod, by its name"):
        saw = kubectl.ask(f"deployment/{NAME}", ask(REPLICAS))
    if not saw.address or len(saw.answers) != REPLICAS:
        raise UserError(
            f"{len(saw.answers)} of {REPLICAS} pods answered; cluster DNS said {saw.address or 'nothing'}",
            f"hepto lab logs {kubectl.node} coredns  and  hepto lab logs {kubectl.node} kube-proxy  may say why",
        )
    return saw


def show_all(connection: LabClient, progress: Shows) -> tuple[Pod, ...]:
    """Start a pod on each node, let each ask all others, and tell what they saw.

    Raises UserError if a node has no pod or cannot be asked; what a pod does not reach is in the result.
    """
    kubectl = Kubectl(connection)
    nodes = [node["name"] for node in connection.snapshot()["nodes"]]
    with progress.step(f"Start a pod on each of {len(nodes)} nodes, and a Service"):
        kubectl.start(f"daemonset/{NAME}", objects(everywhere=True))
        found = pods(json.loads(kubectl("get", "pods", "-l", f"app={NAME}", "-o", "json").stdout)["items"])
    without = set(nodes) - {pod.node for pod in found}
    if without:
        raise UserError(f"no pod runs on {', '.join(sorted(without))}", "hepto lab kubectl -- get nodes  may say why")
    script = ask(len(found), [pod.address for pod in found])
    seen = []
    for pod in found:
        with progress.step(f"Ask all pods, the Service and DNS from {pod.node}"):
            seen.append(replace(pod, saw=kubectl.ask(pod.name, script)))
    order = {name: place for place, name in enumerate(nodes)}
    return tuple(sorted(seen, key=lambda pod: order.get(pod.node, len(order))))


def complete(found: Sequence[Pod]) -> bool:
    """Everybody reached everybody, both ways, and DNS answered."""
    names = {pod.name for pod in found}
    return all(pod.saw and pod.saw.address and pod.saw.answers == names == pod.saw.reached for pod in found)


def table(found: Sequence[Pod]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """For a person: a header and a row a pod."""
    header = ("FROM", *(f"TO {pod.node}" for pod in found), "SERVICE", "DNS")
    rows = []
    for pod in found:
        saw = pod.saw or Saw("", frozenset())
        reached = ("yes" if other.name in saw.reached else "no" for other in found)
        service = f"{len(saw.answers)} of {len(found)}"
        rows.append((pod.node, *reached, service, saw.address or "no answer"))
    return header, rows


def describe(saw: Saw) -> str:
    """For a person."""
    return "\n".join(
        (
            f"cluster DNS: {LOOKUP} is {saw.address}",
            f"http://{NAME}/ was answered by {' and '.join(sorted(saw.answers))}",
        )
    )
