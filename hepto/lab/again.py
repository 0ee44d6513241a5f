"""In what a lab that is there differs from the one that is asked for now. Pure.

Only what is said now counts: who leaves an option out wants it as it is.
"""

from collections.abc import Collection, Mapping
from typing import Any

from hepto.errors import UserError
from hepto.lab.plan import Wish

FLAGS = {"options": "--set"}
OF_NODES = ("memory", "cpus")
"""What the nodes themselves show; if it was not given, it follows from their roles."""


def check(snapshot: Mapping[str, Any], wish: Wish, said: Collection[str], secrets: Mapping[str, bool]) -> None:
    """Raises UserError that names every difference.

    `snapshot` is the holder's; `said` are the names in `wish.asked` that were given now; `secrets` has for each flag
    whether the nodes have what it names.
    """
    found = []
    # A lab that an earlier version has made remembers neither.
    build, there = snapshot.get("build", ""), snapshot.get("asked", {})
    if wish.build and build and wish.build != build:
        found.append(f"it runs another build than that in {wish.image}")
    for name, now in wish.asked:
        if name not in said:
            continue
        if name in OF_NODES:
            has = ", ".join(sorted({str(node[name]) for node in snapshot["nodes"]}, key=int))
        else:
            has = there.get(name, now)
        if has != now:
            found.append(f"{FLAGS.get(name, '--' + name.replace('_', '-'))} is {now} now and was {has}")
    found += [f"{flag} is another" for flag, same in secrets.items() if not same]
    if found:
        name = "" if wish.name == "default" else f" --name {wish.name}"
        raise UserError(
            f"lab {wish.name} is there already and differs: {'; '.join(found)}",
            f"`hepto lab down{name}` first, then `hepto lab up` makes it anew",
        )
