"""A boot as `hepto status --json` tells it: a full node without acceleration, much as it is."""

import copy
from typing import Any

PHASES = (
    ("mounts", 2.10, 0.21),
    ("keys", 2.31, 0.01),
    ("services", 2.32, 0.0),
    ("sysctls", 2.33, 0.04),
    ("hotplug", 2.37, 0.0),
    ("modules", 2.37, 0.81),
    ("preload", 3.18, 0.0),
    ("credentials", 3.18, 0.05),
    ("data", 3.23, 1.12),
    ("seed", 4.35, 0.0),
)
SERVICES: dict[str, tuple[float, float | None, float | None, tuple[str, ...]]] = {
    "logger": (2.32, 2.36, 2.41, ()),
    "agent": (2.32, 2.39, 2.45, ()),
    "chrony": (7.9, 8.0, 8.2, ()),
    "containerd": (8.4, 8.45, 11.9, ()),
    "etcd": (8.4, 8.5, 10.8, ()),
    "kube-apiserver": (8.4, 10.82, 24.6, ("etcd",)),
    "kube-controller-manager": (8.4, 24.7, 30.1, ("kube-apiserver",)),
    "kube-scheduler": (8.4, 24.7, 29.5, ("kube-apiserver",)),
    "kubelet": (8.4, 24.8, 31.0, ("containerd", "kube-apiserver")),
    "kube-proxy": (8.4, 24.9, 28.0, ("kube-apiserver",)),
    "coredns": (8.4, 30.2, 33.4, ("kube-apiserver",)),
}
STEPS = {
    "configuration": 4.5,
    "identity": 4.62,
    "underlay": 6.1,
    "clock": 6.15,
    "certificates": 7.7,
    "mesh": 7.85,
    "plan": 8.4,
    "cluster objects": 27.9,
    "node object": 36.1,
    "ready": 36.6,
}
WAITS = (
    ("phase", "data", 3.3, 4.4),
    ("interface", "", 4.62, 5.0),
    ("router", "ens3", 5.0, 6.1),
    ("phase", "agent", 6.1, 8.4),
    ("service", "etcd", 8.4, 10.8),
    ("service", "kube-apiserver", 10.8, 27.9),
    ("service", "coredns", 27.9, 33.4),
    ("node object", "one", 33.4, 36.6),
)


def phase(name: str, since: float, seconds: float, **more: Any) -> dict[str, Any]:
    plain = {"name": name, "state": "done", "since": since, "seconds": seconds, "error": "", "waits_for": None}
    return {**plain, **more}


def service(
    known: float, started: float | None, ready: float | None, waits: tuple[str, ...], **more: Any
) -> dict[str, Any]:
    beginning = {"known": known, "started": started, "ready": ready, "waits": [[name, known] for name in waits]}
    return {"state": "ready", "since": ready or known, "deaths": 0, "beginning": beginning, **more}


def said(**more: Any) -> dict[str, Any]:
    """The whole of it."""
    found = {
        "node": "one",
        "now": 5000.0,
        "phases": [phase(*one) for one in PHASES],
        "services": {name: service(*times) for name, times in SERVICES.items()},
        "course": {
            "started": 3.05,
            "steps": STEPS,
            "waits": [
                {"reason": reason, "subject": subject, "what": "", "since": since, "until": until}
                for reason, subject, since, until in WAITS
            ],
        },
    }
    return copy.deepcopy({**found, **more})
