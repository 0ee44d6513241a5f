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


def synchronised(tracking: bytes) -> bool:
    """What `chronyc -c tracking` says: the last of its fields is the leap status."""
    fields = tracking.decode(errors="replace").strip().split(",")
    return len(fields) >= 14 and fields[-1] in ("Normal", "Insert second", "Delete second")


def service(rendered: bytes) -> Service:
    """The service file; another configuration restarts it."""
    import hashlib

    return Service(
        argv=("/usr/sbin/chronyd", "-n", "-6", "-u", "root", "-f", CONFIGURATION),
        ready=Ready(ReadyKind.NONE),
        restart=Restart(cap=60.0),
        restart_key=hashlib.sha256(rendered).hexdigest()[:16],
    )
