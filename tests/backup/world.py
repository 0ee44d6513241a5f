"""A master's data directory with every key, and the etcd of the stack that a node runs."""

import json
import os
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from hepto.edge import http
from hepto.kube import etcd as kube_etcd
from hepto.node import state
from hepto.pki.driver import Pki
from init.contract import paths
from tests.kube.example import FULL
from tests.pki.example import MASTER, NOW

LIMIT = 60.0


def data_directory(path: Path, now: datetime = NOW) -> Pki:
    """Made as a master makes it."""
    path.mkdir(0o700, parents=True)
    pki = Pki(str(path), MASTER)
    pki.establish(now, plausible=True)
    pki.enrol_master(pki.identity(), bytes(range(32)), now)
    (path / "state.json").write_bytes(state.dump(state.State(clock=now.timestamp(), machine_id="12" * 16)))
    return pki


def stack() -> Path:
    """The executable of the last build."""
    from hepto.edge.cache import cache_directory  # of whoever builds: a node has no such module

    found = sorted((cache_directory() / "stack").glob("*/stack"), key=lambda path: path.stat().st_mtime)
    assert found, "build it with: make image"
    return found[-1]


class Etcd:
    """One that runs, and answers on a port of the loopback device."""

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        self.url = url
        self._tls = tls

    def ask(self, path: str, **body: Any) -> Any:
        with self.open(path, body) as answer:
            return json.loads(answer.read())

    def open(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())
        return urllib.request.urlopen(request, timeout=LIMIT, context=self._tls)


def _free_port() -> int:
    with socket.socket(socket.AF_INET6) as one:
        one.bind(("::1", 0))
        port: int = one.getsockname()[1]
    return port


@contextmanager
def etcd(directory: Path) -> Iterator[Etcd]:
    """That of the node whose data is in `directory`, started as a node does it but for the ports."""
    url, peer = (f"https://[::1]:{_free_port()}" for _ in range(2))
    service = kube_etcd.plan(replace(FULL, data=str(directory))).services["etcd"]
    argv = [url if word == kube_etcd.CLIENT_URL else word for word in service.argv]
    argv[argv.index("--listen-peer-urls") + 1] = peer
    argv[argv.index("--listen-metrics-urls") + 1] = f"http://[::1]:{_free_port()}"
    argv[:1] = [str(stack()), "etcd"]
    assert service.argv[0].startswith(paths.STACK)
    (directory / "etcd").mkdir(0o700, exist_ok=True)
    with (directory.parent / f"{directory.name}.log").open("wb") as errors:
        process = subprocess.Popen(argv, stdout=errors, stderr=errors, env={**os.environ, **service.env})
    try:
        tls = http.client_context(f"{directory}/pki/etcd-ca.crt", f"{directory}/pki/apiserver-etcd-client.pem")
        found = Etcd(url, tls)
        _await(found, process, Path(errors.name))
        yield found
    finally:
        process.terminate()
        process.wait(LIMIT)


def _await(found: Etcd, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + LIMIT
    while True:
        try:
            if found.ask("/v3/maintenance/status").get("leader", "0") != "0":
                return
        except OSError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
