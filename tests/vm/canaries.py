"""The secrets of a cluster, in all spellings in which one might be seen where it does not belong."""

import base64
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hepto.lab import boot, demo
from tests.vm.harness import Node
from tests.vm.programs.scan import search

SCAN = (Path(__file__).parent / "programs" / "scan.py").read_text()
SCAN_LIMIT = 600.0
SCALAR_BYTES = 32
"""Of a P-256 key, as of all others here."""
LINE = 64
"""Characters of a line of PEM."""
URL_SAFE = bytes.maketrans(b"+/", b"-_")

Needles = dict[str, frozenset[bytes]]
"""What to look for, by the name of the secret."""
Hits = set[tuple[str, str]]
"""Places, and the names of the secrets that are there."""


@dataclass(frozen=True)
class Secret:
    name: str
    raw: bytes
    """DER and every other binary form have these bytes in one piece."""
    lines: tuple[bytes, ...] = ()
    """Of its PEM: those that a part of it is in."""

    def spellings(self) -> frozenset[bytes]:
        """What to look for; in base64 also as a part of something longer."""
        hexadecimal = self.raw.hex()
        texts = {hexadecimal, hexadecimal.upper(), self.raw.hex(":"), self.raw.hex(":").upper()}
        written = {self.raw, *(text.encode() for text in texts), *self.lines, *inside_base64(self.raw)}
        for line in self.lines:  # a kubeconfig has PEM in base64
            written.update(inside_base64(line))
        return frozenset(written | {spelling.translate(URL_SAFE) for spelling in inside_base64(self.raw)})


def inside_base64(data: bytes) -> Iterator[bytes]:
    """What of base64 depends on `data` alone, for each place that it can have in the groups of three bytes."""
    for before in range(3):
        begin, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        yield base64.b64encode(bytes(before) + data)[begin:end]


def of_pem(name: str, text: bytes) -> Secret:
    """The private key in a file of PEM, alone or behind a certificate."""
    key = serialization.load_pem_private_key(text, None)
    if isinstance(key, Ed25519PrivateKey):
        raw = key.private_bytes_raw()
    else:
        assert isinstance(key, EllipticCurvePrivateKey)
        raw = key.private_numbers().private_value.to_bytes(SCALAR_BYTES, "big")
    _, _, rest = text.partition(b"PRIVATE KEY-----\n")
    lines = rest.partition(b"\n-----END")[0].split(b"\n")
    at = base64.b64decode(b"".join(lines)).index(raw)
    first, last = (byte * 4 // 3 // LINE for byte in (at, at + len(raw) - 1))
    return Secret(name, raw, tuple(lines[first : last + 1]))


def of_node(node: Node) -> tuple[Secret, ...]:
    """Everything below the node's directory that is a secret, and the gossip key that it was given."""
    paths = node.sh(f"find {node.directory}/pki {node.directory}/identity -type f").splitlines()
    there = [Secret("gossip key", bytes.fromhex(node.key))]
    for path in paths:
        name = path.removeprefix(f"{node.directory}/")
        data = node.connection.read(node.name, path)
        if b"PRIVATE KEY-----" in data:
            there.append(of_pem(f"{node.name} {name}", data))
        elif name == "identity/wireguard.key":
            there.append(Secret(f"{node.name} {name}", data))
        elif name == "pki/keyring.json":
            keys = json.loads(data)["keys"]
            there += [Secret(f"{node.name} {name} {number}", bytes.fromhex(key)) for number, key in enumerate(keys)]
        elif name == "pki/secrets-encryption.json":
            (resource,) = json.loads(data)["resources"]
            (key,) = resource["providers"][0]["secretbox"]["keys"]
            there.append(Secret(f"{node.name} {name}", base64.b64decode(key["secret"])))
    return tuple(there)


def decoy() -> Secret:
    """A secret that belongs to nobody, to be found where it was put."""
    return Secret("decoy", secrets.token_bytes(SCALAR_BYTES))


def pod_with(decoy: Secret, name: str, node: str) -> tuple[dict[str, Any], ...]:
    """A pod without any privilege that has the decoy in a variable and in a file, and its ConfigMap."""
    container = demo.container(
        "decoy",
        "trap exit TERM; while :; do sleep 1; done",
        env=[{"name": "DECOY", "value": decoy.raw.hex()}],
        volumeMounts=[{"name": "decoy", "mountPath": "/decoy"}],
    )
    spec = {
        "nodeName": node,
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "decoy", "configMap": {"name": name}}],
        "containers": [container],
    }
    word = base64.b64encode(decoy.raw).decode()
    return (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"word": word}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec},
    )


POD = """
echo "==> environment <=="; env
echo "==> dmesg <=="; dmesg
find / \\( -path '/proc/*/task' -o -path '/sys/[!f]*' -o -path /sys/fs \\) -prune -o -type f \
  ! -name mem ! -name pagemap ! -name 'kpage*' ! -name kallsyms \
  ! -name kmsg ! -name trace_pipe ! -name clear_refs ! -name rom ! -name 'resource*' \
  -exec /bin/busybox head -v -c 4m {} +
echo "==> end <=="
"""
"""All that a pod may read, each behind its name, but for what never ends, waits for ever or moves the machine. Of /sys
only what the firmware was given: the rest is thousands of numbers of devices and of the kernel's own code.
"""
PLACE = re.compile(rb"==> ([^\n]+?) <==\n")  # what is before it need not end with a line


def read_in_pod(dump: bytes) -> dict[str, bytes]:
    """What the script POD has printed, by place. AssertionError if it did not come to its end."""
    _, *parts = PLACE.split(dump)
    read = {place.decode(errors="replace"): data for place, data in zip(parts[::2], parts[1::2], strict=True)}
    assert "end" in read, f"{len(dump)} bytes, and no end"
    return read


def scan_pod(master: Node, pod: str, needles: Needles) -> tuple[set[str], Hits]:
    """Everywhere that was looked in a pod, from inside and with its rights, and where the needles are."""
    argv = boot.kubectl_argv(master.cluster, master.name, ("exec", pod, "--", "/bin/busybox", "sh", "-c", POD))
    read = read_in_pod(master.run(*argv, timeout=SCAN_LIMIT).stdout)
    return set(read), {(place, name) for place, data in read.items() for name in search(data, needles)}


def scan(node: Node, needles: Needles) -> Hits:
    """Where they are on a node (programs/scan.py)."""
    wanted = {name: [base64.b64encode(one).decode() for one in spellings] for name, spellings in needles.items()}
    hits = json.loads(node.python(SCAN, stdin=json.dumps(wanted).encode(), timeout=SCAN_LIMIT))
    return {(place, name) for place, name in hits}
