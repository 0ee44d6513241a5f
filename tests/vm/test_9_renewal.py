"""Certificates of twenty minutes, ten times over: each is renewed in time, nobody is restarted, no request is lost.

`hepto.debug=short-leaves` on the master makes them so short; all else is as it always is. A master and a worker have
every kind of certificate, and a third node would be one more for an emulated master to serve. HEPTO_RENEWALS says how
many renewals of every certificate are waited for: a renewal takes ten minutes.
"""

import contextlib
import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hepto.kube.parameters import API_PORT
from hepto.lab import demo
from hepto.pki.profiles import MINUTES
from tests.vm import harness, kubernetes, leaves
from tests.vm.harness import Node, eventually
from tests.vm.kubernetes import Nodes
from tests.vm.leaves import Serials

RENEWALS = int(os.environ.get("HEPTO_RENEWALS", "10"))
SHOWN_LIMIT = 400.0
"""Until a server that reads its file once a minute shows it, on a busy machine."""
LIMIT = RENEWALS * MINUTES.total_seconds() / 2 * 1.5 + SHOWN_LIMIT
LOOK_SECONDS = 60.0
"""Between two looks: each takes processor time of the nodes, and what is looked for stays for ten minutes."""

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.timeout(LIMIT + 900, func_only=True)]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with harness.several(*harness.planned("renewal", nodes=2, options=("hepto.debug=short-leaves",))) as nodes:
        yield nodes


# --- who asks all the time


@dataclass
class Asker:
    """Somebody on a node who keeps in a file there how many were asked, and what was lost."""

    node: Node
    name: str
    output: str
    asked: int = 0

    def look(self) -> dict[str, Any]:
        """What it has done since it was started."""
        found: dict[str, Any] = json.loads(self.node.connection.read(self.node.name, self.output))
        return found

    def lost(self) -> list[Any]:
        """When, and why if that is known."""
        found: list[Any] = self.look()["lost"]
        return found

    def has_gone_on(self) -> bool:
        """It has asked since this was called last."""
        found, before = self.look(), self.asked
        self.asked = found["asked"]
        return self.asked > before


CLIENT = (Path(__file__).parent / "programs" / "asker.py").read_text()


def client(stack: contextlib.ExitStack, nodes: Nodes, node: Node) -> Asker:
    """A client of the apiserver, with the certificate of a client of that node."""
    output, pki = "/run/asked-apiserver.json", f"{node.directory}/pki"
    url = f"https://[{nodes['one'].mesh_address()}]:{API_PORT}/api/v1/nodes/{node.name}"
    pair = f"{pki}/{'admin' if node is nodes['one'] else 'kubelet-client'}.pem"
    words = shlex.join(("/usr/bin/python3", "-I", "-c", CLIENT, output, url, f"{pki}/ca.crt", pair))
    process = node.sh(f"{words} </dev/null >{output}.errors 2>&1 & echo $!")
    stack.callback(node.run, "/bin/sh", "-c", f"kill {process}")
    return Asker(node, "apiserver", output)


POD = """
trap exit TERM
asked=0 lost=
while :; do
  [ "$(wget -q -T 60 -O - http://[{address}]:{port}/)" = "{name}" ] || lost="$lost${{lost:+, }}\\"$(date)\\""
  asked=$((asked+1))
  echo "{{\\"asked\\": $asked, \\"lost\\": [$lost]}}" >/out/new && mv /out/new /out/asked.json
  sleep 3
done
"""


def pod(nodes: Nodes, node: Node, other: str) -> Asker:
    """A pod on that node that asks the demo's pod on another one.

    It is no `kubectl exec` again and again: a client of Kubernetes ends the connections of its old certificate, and
    what runs over them, a few minutes after it has got a new one.
    """
    asked = kubernetes.pod_on(nodes, other)
    script = POD.format(address=asked.address, port=demo.PORT, name=asked.name)
    name = f"asker-{node.name}"
    container = demo.container("asker", script, volumeMounts=[{"name": "out", "mountPath": "/out"}])
    nodes["one"].apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "nodeName": node.name,
                "terminationGracePeriodSeconds": 1,
                "volumes": [{"name": "out", "emptyDir": {}}],
                "containers": [container],
            },
        }
    )
    uid = nodes["one"].get("pod", name)["metadata"]["uid"]
    return Asker(node, "pod", f"/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~empty-dir/out/asked.json")


@contextlib.contextmanager
def asking(nodes: Nodes) -> Iterator[tuple[Asker, ...]]:
    """On each node a client of the apiserver, and a pod that asks one on another node."""
    other = {"one": "two", "two": "one"}
    with contextlib.ExitStack() as stack:
        clients = [client(stack, nodes, node) for node in nodes.values()]
        askers = (*clients, *(pod(nodes, node, other[name]) for name, node in nodes.items()))
        for asker in askers:
            eventually(asker.has_gone_on, f"{asker.name} is asked on {asker.node.name}", SHOWN_LIMIT)
        yield askers


# --- what is renewed


@dataclass
class Seen:
    """The serials of each certificate, in the order in which they came: those of files, and those of servers."""

    kept: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    shown: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def look(self, nodes: Nodes) -> None:
        """At the servers first: what one shows has been in its file before."""
        self._take(self.shown, leaves.shown(nodes))
        self._take(self.kept, {name: leaves.kept(node) for name, node in nodes.items()})

    @staticmethod
    def _take(seen: dict[tuple[str, str], list[int]], found: dict[str, Serials]) -> None:
        for name, serials in found.items():
            for file, serial in serials.items():
                before = seen.setdefault((name, file), [])
                if before[-1:] != [serial]:
                    before.append(serial)

    def renewals(self) -> int:
        """How often each certificate was renewed, and shown by its server since: the least of all."""
        return min(len(serials) for serials in (*self.kept.values(), *self.shown.values())) - 1

    def __str__(self) -> str:
        kept = (f"{name} {file}: renewed {len(serials) - 1} times" for (name, file), serials in self.kept.items())
        shown = (f"{name} {file}: shown {len(serials) - 1} times" for (name, file), serials in self.shown.items())
        return "\n".join((*kept, *shown))


def begin(nodes: Nodes) -> Seen:
    """A first look, at a moment when every server shows what is in its file."""
    seen = Seen()
    seen.look(nodes)
    assert all(seen.kept[at] == serials for at, serials in seen.shown.items())
    return seen


def test_every_certificate_is_renewed_again_and_again_and_nobody_notices(nodes: Nodes) -> None:
    eventually(lambda: kubernetes.all_ready(nodes), "two Ready nodes", SHOWN_LIMIT)
    kubernetes.show(nodes)
    with asking(nodes) as askers:
        before = {name: node.service_pids() for name, node in nodes.items()}, kubernetes.lives(nodes)
        seen = eventually(lambda: begin(nodes), "servers show what is in their files", SHOWN_LIMIT, pause=LOOK_SECONDS)

        def done() -> bool:
            seen.look(nodes)
            lost = {f"{asker.name} on {asker.node.name}": found for asker in askers if (found := asker.lost())}
            if lost:
                pytest.fail(f"answers were lost: {lost}\n{seen}")
            return seen.renewals() >= RENEWALS

        eventually(done, f"{RENEWALS} renewals of every certificate", LIMIT, lambda: seen, pause=LOOK_SECONDS)
        for asker in askers:
            eventually(asker.has_gone_on, f"{asker.name} is still asked on {asker.node.name}")
        after = {name: node.service_pids() for name, node in nodes.items()}, kubernetes.lives(nodes)

    assert after == before
    assert all(asker.asked > RENEWALS for asker in askers)
    assert len(seen.kept) == 19
    assert all(len(set(serials)) == len(serials) for serials in seen.kept.values()), "none comes twice"
    assert all(set(serials) <= set(seen.kept[at]) for at, serials in seen.shown.items())
    assert kubernetes.started_again(nodes) == {}
    assert kubernetes.all_ready(nodes)
