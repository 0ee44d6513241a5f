"""What `hepto lab demo` shows: two pods behind a Service answer through it, by its name.

The objects and the reading of what a pod printed are pure; `show` runs kubectl on a node. Applying it again changes
nothing.
"""

import json
import re
from dataclasses import dataclass
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
"""Requests until another pod must have answered too: the Service chooses by chance, so one in 2^29 runs is unlucky."""
APPLY = ("apply", "--server-side", "--force-conflicts", "--validate=false", "-f", "-")
"""Otherwise kubectl first fetches the whole schema, which an emulated apiserver takes half a minute to make."""
LOOKUP = "kubernetes.default.svc.cluster.local"

SERVE = f"mkdir -p /www; hostname > /www/index.html; trap exit TERM; httpd -f -p '[::]:{PORT}' -h /www & wait"
"""With a trap, because the first process of a container does not die of SIGTERM by itself."""

ASK = f"""
nslookup -type=aaaa {LOOKUP} || exit 1
i=0
while [ $i -lt {TRIES} ]; do
  i=$((i+1))
  name=$(wget -q -T 10 -O - http://{NAME}/) || exit 1
  echo "answer $name"
  [ "$name" = "${{first:=$name}}" ] || exit 0
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


def objects() -> dict[str, Any]:
    """A Deployment of two pods that tell their names, and a Service before them."""
    labels = {"app": NAME}
    readiness = {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {
            "replicas": REPLICAS,
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
    return {"apiVersion": "v1", "kind": "List", "items": [deployment, service]}


@dataclass(frozen=True)
class Saw:
    """What the pod that asked has seen."""

    address: str
    """Of the Kubernetes API, by cluster DNS."""
    answers: frozenset[str]
    """The names of the pods that answered."""


def read(output: str) -> Saw:
    """From what ASK printed."""
    _, _, resolved = output.partition("Name:")
    found = re.search(r"Address(?: 1)?:\s*(\S+)", resolved)
    answers = re.findall(r"^answer (\S+)$", output, re.MULTILINE)
    return Saw(found[1] if found else "", frozenset(answers))


def show(connection: LabClient, progress: Shows) -> Saw:
    """Start the pods, ask one of them to ask all, and tell what it saw. Raises UserError."""
    snapshot = connection.snapshot()
    cluster, node = snapshot["cluster"], snapshot["nodes"][0]["name"]

    def kubectl(*arguments: str, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        done = connection.run(node, *kubectl_argv(cluster, node, arguments), stdin=stdin, timeout=timeout)
        if done.status:
            last = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise UserError(
                f"kubectl {arguments[0]} failed: {last[-1]}", "hepto lab status  shows what the node waits for"
            )
        return done

    with progress.step("Start two pods behind a Service"):
        kubectl(*APPLY, stdin=json.dumps(objects()).encode())
        limit = f"--timeout={ROLLOUT_LIMIT}s"
        kubectl("rollout", "status", f"deployment/{NAME}", limit, timeout=ROLLOUT_LIMIT + 30)
    with progress.step("Ask the Service from a pod, by its name"):
        asked = kubectl("exec", f"deployment/{NAME}", "--", "/bin/busybox", "sh", "-c", ASK, timeout=120)
    saw = read(asked.text)
    if not saw.address or len(saw.answers) != REPLICAS:
        raise UserError(
            f"{len(saw.answers)} of {REPLICAS} pods answered; cluster DNS said {saw.address or 'nothing'}",
            f"hepto lab logs {node} coredns  and  hepto lab logs {node} kube-proxy  may say why",
        )
    return saw


def describe(saw: Saw) -> str:
    """For a person."""
    return "\n".join(
        (
            f"cluster DNS: {LOOKUP} is {saw.address}",
            f"http://{NAME}/ was answered by {' and '.join(sorted(saw.answers))}",
        )
    )
