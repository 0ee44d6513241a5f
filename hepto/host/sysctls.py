"""The six variables that a kubelet sets for the whole machine: kept before the first node, put back after the last."""

import json
from pathlib import Path

from init.contract import durable
from init.contract.paths import KUBELET_SYSCTLS

PROC_SYS = Path("/proc/sys")


def save(file: Path, root: Path = PROC_SYS) -> None:
    """Keep the values, unless they are kept: then a node has changed them maybe."""
    if not file.exists():
        values = {name: (root / name).read_text().strip() for name in KUBELET_SYSCTLS if (root / name).exists()}
        durable.write(str(file), json.dumps(values).encode(), sync=False)


def restore(file: Path, root: Path = PROC_SYS) -> None:
    """Put them back, and forget them. Raises OSError; then they are still kept."""
    try:
        values: dict[str, str] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return
    for name in KUBELET_SYSCTLS:
        if name in values and (root / name).read_text().strip() != values[name]:
            (root / name).write_text(values[name])
    file.unlink()
