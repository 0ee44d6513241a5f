"""Makes files and service files what was planned, touching only what differs.

Service files come last, all together: PID 1 orders them by `after` and readiness. A service that the plan does not name
is removed only when it is named in `gone`: leaving something out is not knowing, not wanting it away.
"""

from collections.abc import Collection

from hepto.kube import driver as kube
from hepto.kube.files import KubePlan
from init.contract import durable, paths


def write(plan: KubePlan, gone: Collection[str] = (), directory: str = paths.SERVICES) -> tuple[str, ...]:
    """Write it all, service files into `directory`; the paths that changed. Raises OSError."""
    changed = list(kube.write(plan))
    for name, service in plan.services.items():
        path = f"{directory}/{name}.json"
        if durable.write_if_changed(path, service.dump(), sync=False):
            changed.append(path)
    removed = (f"{directory}/{name}.json" for name in gone)
    changed += [path for path in removed if durable.remove(path, sync=False)]
    return tuple(changed)
