"""The order of services: who waits for whom at a start, who goes first at a stop, and how long a restart waits. Pure.

A service starts when everything in its `after` is ready, and stops before what it is after, if that is to stop too. The
death of a dependency restarts nobody. A cycle or an unknown name is no error here: its services wait, and say for what.
"""

from collections.abc import Iterable, Mapping

from init.contract.service import Restart

After = Mapping[str, tuple[str, ...]]


def waits_for(name: str, after: After, ready: Iterable[str]) -> str | None:
    """The first dependency of `name` that is not ready; None if it may start."""
    return next((dependency for dependency in after.get(name, ()) if dependency not in ready), None)


def holds_up(name: str, after: After, running: Iterable[str], stopping: Iterable[str]) -> str | None:
    """A service that has to stop before `name` may: it is after `name`, runs, and is to stop too. None: stop now."""
    leaving = set(running) & set(stopping)
    return next(
        (
            other
            for other in sorted(leaving)
            if other != name and name in closure(other, after) and not _both(name, other, after)
        ),
        None,
    )


def _both(name: str, other: str, after: After) -> bool:
    """True if each is after the other: in a cycle nobody can be first, so nobody waits."""
    return other in closure(name, after)


def closure(name: str, after: After) -> frozenset[str]:
    """Everything that `name` is after, directly or not. Contains `name` itself only if it is in a cycle."""
    found: set[str] = set()
    to_do = list(after.get(name, ()))
    while to_do:
        dependency = to_do.pop()
        if dependency not in found:
            found.add(dependency)
            to_do.extend(after.get(dependency, ()))
    return frozenset(found)


def cycle(name: str, after: After) -> tuple[str, ...]:
    """A way from `name` back to itself, as names; () if there is none."""
    to_do: list[tuple[str, ...]] = [(name,)]
    seen: set[str] = set()
    while to_do:
        way = to_do.pop(0)
        for dependency in after.get(way[-1], ()):
            if dependency == name:
                return (*way, name)
            if dependency not in seen:
                seen.add(dependency)
                to_do.append((*way, dependency))
    return ()


def order(after: After) -> tuple[str, ...]:
    """All services, each behind what it is after; those of a cycle by name at the end."""
    left = dict(after)
    found: list[str] = []
    while left:
        free = sorted(name for name, needs in left.items() if not any(need in left and need != name for need in needs))
        for name in free or sorted(left):
            found.append(name)
            del left[name]
    return tuple(found)


def back_off(restart: Restart, failures: int) -> float:
    """Seconds to the next start after so many ends in a row: at once, then `step`, doubling up to `cap`."""
    if failures <= 1:
        return 0.0
    return min(restart.cap, restart.step * 2.0 ** min(failures - 2, 60))
