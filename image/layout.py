"""Decides which files of the packages' tree make the root: names in, names out; the rules are the data of spec.py.

Paths are relative to the root and as on a merged /usr (`usr/bin/mount`, never `bin/mount`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate

from image.spec import Keep

MERGED = ("bin", "sbin", "lib", "lib64")


def normal(path: str) -> str:
    """The path relative to the root, on a merged /usr; "" for the root itself."""
    words = path.strip("/").split("/")
    if words[0] == ".":
        words = words[1:]
    if words and words[0] in MERGED:
        words = ["usr", *words]
    return "/".join(words)


def matcher(globs: Sequence[str]) -> re.Pattern[str]:
    """One pattern for all globs; with none it matches nothing. `*` crosses slashes."""
    return re.compile("|".join(translate(glob) for glob in globs) or r"(?!)")


def packages_of(lists: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Path -> the package that owns it, from dpkg's file lists (`name` or `name:architecture` -> its lines)."""
    owners: dict[str, str] = {}
    for name, lines in sorted(lists.items()):
        for line in lines:
            path = normal(line)
            if path:
                owners.setdefault(path, name.partition(":")[0])
    return owners


def select(owners: Mapping[str, str], keep: Sequence[Keep]) -> dict[str, str]:
    """The kept paths and their packages. A rule that keeps nothing is a rule for a package that changed: an error."""
    kept: dict[str, str] = {}
    by_package: dict[str, list[str]] = {}
    for path, package in owners.items():
        by_package.setdefault(package, []).append(path)
    for rule in keep:
        wanted, unwanted = matcher(rule.paths), matcher(rule.drop)
        chosen = [path for path in by_package.get(rule.package, ()) if wanted.match(path) and not unwanted.match(path)]
        if not chosen:
            raise LookupError(f"{rule.package} has none of {', '.join(rule.paths)}")
        kept.update(dict.fromkeys(chosen, rule.package))
    return kept


def forbidden(paths: Iterable[str], globs: Sequence[str]) -> list[str]:
    """The paths that must not be in a root, sorted."""
    pattern = matcher(globs)
    return sorted(path for path in paths if pattern.match(path))
