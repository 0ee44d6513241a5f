"""An operator who is in the router's network, with nothing but an SSH key and the gossip key."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.vm.harness import Node


def make_key(directory: Path) -> Path:
    """An operator's SSH key; the public half is beside it."""
    path = directory / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    return path


def run(master: Node, key: Path, *words: str) -> str:
    """A `hepto` command that asks the cluster of `master`; its output."""
    gossip_key = key.parent / "demo.key"
    gossip_key.write_text(master.key)
    secrets = ("--ssh-key", str(key), "--ca", master.status()["authority"])
    state = f"XDG_STATE_HOME={key.parent / 'state'}"  # remembers the CA: clusters of other tests have the same name
    argv = (sys.executable, "-m", "hepto", *words, "--cluster", master.cluster, "--key", f"@{gossip_key}", *secrets)
    done = master.connection.run("router", "/usr/bin/env", state, *argv, timeout=120)
    assert done.status == 0, done.stderr.decode()
    return done.text


def order(master: Node, key: Path, *words: str) -> Any:
    """`hepto node …`."""
    return json.loads(run(master, key, "node", *words, "--json", "--anchor", master.view()["address"]))
