"""chronyd as a service: its configuration and service file.

It serves nobody: no NTP port, no command port on UDP (commands come through a Unix socket), nothing on IPv4.
"""

from init.contract.paths import RUN
from init.contract.service import Ready, ReadyKind, Restart, Service

NAME = "chrony"
DIRECTORY = f"{RUN}/chrony"
SOCKET = f"{DIRECTORY}/chronyd.sock"
CONFIGURATION = f"{RUN}/chrony.conf"
POOL = "2.debian.pool.ntp.org"
"""Of the pool's names only those that begin with 2 have IPv6 addresses."""
FRESH_SECONDS = 3600.0
"""chronyd asks at least every 1,024 s (maxpoll 10); the rest is for lost answers."""


def configuration(servers: tuple[str, ...], data: str) -> bytes:
    """chrony.conf(5)."""
    sources = [f"server {server} iburst" for server in servers] or [f"pool {POOL} iburst maxsources 4"]
    lines = [
        *sources,
        f"driftfile {data}/chrony.drift",
        f"pidfile {DIRECTORY}/chronyd.pid",
        f"bindcmdaddress {SOCKET}",
        "cmdport 0",
        "port 0",
        # Certificates of a day and WireGuard's handshakes suffer more from a wrong clock than anything from a step.
        "makestep 1.0 -1",
        "rtcsync",
    ]
    return "\n".join(lines).encode() + b"\n"


def synchronised(tracking: bytes, now: float) -> bool:
    """What `chronyc -c tracking` says: the fourth field is the Unix time of the last update, the last the leap status.

    An update that is not of the last hour does not speak for the time `now` of the clock: somebody else has set it.
    """
    fields = tracking.decode(errors="replace").strip().split(",")
    if len(fields) < 14 or fields[-1] not in ("Normal", "Insert second", "Delete second"):
        return False
    try:
        return abs(now - float(fields[3])) <= FRESH_SECONDS
    except ValueError:
        return False


def service(rendered: bytes) -> Service:
    """The service file; another configuration restarts it."""
    import hashlib

    return Service(
        argv=("/usr/sbin/chronyd", "-n", "-6", "-u", "root", "-f", CONFIGURATION),
        ready=Ready(ReadyKind.NONE),
        restart=Restart(cap=60.0),
        restart_key=hashlib.sha256(rendered).hexdigest()[:16],
    )
