"""Writes what was planned, asks services whether they are ready, and applies the bootstrap objects.

Everything here may be called again at any time. Nothing waits for ever on one peer: each request has its time limit.
"""

import asyncio
import json
import shutil
import socket
from collections.abc import Callable
from ipaddress import IPv6Network
from pathlib import Path
from urllib.parse import urlsplit

from hepto.edge import http, names
from hepto.edge.files import names as names_in
from hepto.edge.http import HttpError
from hepto.errors import UserError
from hepto.kube import etcd_log, health, objects, pulls
from hepto.kube.files import KubePlan
from hepto.kube.health import Expect, Health, Probe
from hepto.kube.objects import Object
from hepto.kube.pulls import Addresses, Trouble
from init.contract import durable
from init.contract.status import Reason

VOLATILE = "/run/"
TAKEN, TAKEN_AWAY = (200, 201), (200, 202, 404)
APPLY_RETRY = 0.5
"""Seconds between two tries to apply what is missing."""
FAMILIES = (socket.AF_INET6, socket.AF_INET)
RESOLVE_SECONDS = 15.0
"""glibc asks each of three resolvers twice for 5 s; half of that is enough to know."""


def write(plan: KubePlan) -> tuple[str, ...]:
    """Make directories, write the files that changed and remove what must not be there; say which files changed."""
    for directory in plan.directories:
        durable.make_directory(directory.path, directory.mode, sync=_persists(directory.path))
    changed = [
        file.path
        for file in plan.files
        if durable.write_if_changed(file.path, file.data, file.mode, sync=_persists(file.path))
    ]
    changed += [path for path in plan.absent if durable.remove(path)]
    return tuple(changed)


def remove_unborn(etcd: str) -> bool:
    """Remove the data directory `etcd` if etcd was cut off while it made it (hepto/kube/etcd_log.py). Raises OSError.

    Only before etcd is started. True if it was so.
    """
    segments = [name for name in names_in(f"{etcd}/member/wal") if name.endswith(".wal")]
    snapshots = [name for name in names_in(f"{etcd}/member/snap") if name.endswith(".snap")]
    if segments != [etcd_log.FIRST] or snapshots:
        return False
    with Path(f"{etcd}/member/wal/{etcd_log.FIRST}").open("rb") as file:
        if not etcd_log.is_unborn(file.read(etcd_log.ENOUGH)):
            return False
    shutil.rmtree(f"{etcd}/member")
    durable.sync_directory(etcd)
    return True


def _persists(path: str) -> bool:
    return not path.startswith(VOLATILE)


class Asker:
    """Puts probes to services, over a connection kept to each."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str, str], http.Client] = {}

    async def check(self, probes: tuple[Probe, ...]) -> Health:
        """Ask in order; the first probe that is not met is the answer."""
        for probe in probes:
            try:
                response = await self._get(probe)
            except (HttpError, OSError) as error:
                return _unanswered(probe, error)
            answer = health.judge(probe, response.status, response.body)
            if not answer.ready:
                return answer
        return Health(True)

    async def node_ready(self, probe: Probe) -> Health:
        """Whether the Node object says Ready; `probe` is health.node_ready's."""
        try:
            response = await self._get(probe)
        except (HttpError, OSError) as error:
            return _unanswered(probe, error)
        return health.judge_node(response.status, response.body)

    async def pulls(self, probe: Probe, nat64: IPv6Network | None) -> tuple[Trouble, ...] | None:
        """Why images cannot be pulled, as far as the network is to blame; `probe` is pulls.probe's. None: no answer."""
        try:
            response = await self._get(probe)
        except (HttpError, OSError):
            return None
        if response.status != 200:
            return None
        failures = pulls.failures(response.body)
        found = await asyncio.gather(*(addresses_of(failure.host) for failure in failures))
        return tuple(pulls.explain(failure, which, nat64) for failure, which in zip(failures, found, strict=True))

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.close()

    async def _get(self, probe: Probe) -> http.Response:
        parts = urlsplit(probe.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        key = origin, probe.authority, probe.pair
        if key not in self._clients:
            self._clients[key] = http.Client(*key, limit=health.TIMEOUT)
        return await self._clients[key].get(probe.url.removeprefix(origin))


async def addresses_of(host: str) -> Addresses:
    """What the node's resolver has for `host`, asked for both families separately: the node has no IPv4 address."""
    ipv6, ipv4 = await asyncio.gather(*(names.look_up(host, family, RESOLVE_SECONDS) for family in FAMILIES))
    if ipv6:
        return Addresses.IPV6
    if ipv6 is None or ipv4 is None:
        return Addresses.UNANSWERED
    return Addresses.ONLY_IPV4 if ipv4 else Addresses.NONE


async def bootstrap(
    url: str, authority: str, mint: Callable[[], bytes], wanted: tuple[Object, ...], note: Callable[[str], None]
) -> None:
    """Apply (or take away) `wanted` until the apiserver at `url` has taken every object.

    `mint` gives a `system:masters` certificate with its key as PEM; it is asked for at each try, lives in memory only
    and for minutes. Cancel it to give up. A refused object does not hold up the others; `note` hears each new refusal.
    """
    told = ""
    missing = wanted
    while missing:
        missing, refusal = await _apply_once(url, authority, mint, missing)
        if missing:
            if refusal != told:
                note(refusal)
                told = refusal
            await asyncio.sleep(APPLY_RETRY)


async def _apply_once(
    url: str, authority: str, mint: Callable[[], bytes], wanted: tuple[Object, ...]
) -> tuple[tuple[Object, ...], str]:
    """Apply each; give back those that were not taken, and the last reason."""
    missing: list[Object] = []
    refusal = ""
    done = 0
    try:
        async with http.Connection(url, http.client_context(authority, pem=mint())) as connection:
            for item in wanted:
                response = await connection.request(*_apply_request(item))
                if response.status not in (TAKEN if item.body else TAKEN_AWAY):
                    missing.append(item)
                    refusal = f"{item.path}: {response.status} {objects.refusal(response.body)}"
                done += 1
    except UserError as error:  # nothing can be minted
        refusal = "; ".join(error.lines())
    except (HttpError, OSError) as error:
        refusal = f"{url}: {error}"
    return (*missing, *wanted[done:]), refusal


def _apply_request(item: Object) -> tuple[str, str, dict[str, str], bytes]:
    if not item.body:
        return "DELETE", item.path, {}, b""
    path = f"{item.path}?fieldManager={objects.FIELD_MANAGER}&force=true"
    return "PATCH", path, {"Content-Type": "application/apply-patch+yaml"}, json.dumps(item.body).encode()


def _unanswered(probe: Probe, error: HttpError | OSError) -> Health:
    """No answer; a certificate file that cannot be read (OSError) is the certificate's fault, not the service's."""
    if isinstance(error, OSError):
        return Health(False, Reason.CERTIFICATE, f"{probe.pair}: {error.strerror or error}")
    reason = Reason.MASTER if probe.expect is Expect.NODE else Reason.SERVICE
    return Health(False, reason, str(error))
