"""Programs of Debian's packages, unpacked into the cache: nothing is installed, nothing starts by itself."""

from pathlib import Path

from hepto.edge import debian
from hepto.edge.apt import fetch, read_sources, sources_for
from hepto.edge.cache import ensure, key_of

KEPT = 4
"""Versions of one package in the cache."""


def ensure_package(cache: Path, package: str, release: str = debian.SUITE) -> Path:
    """The root in which the package is unpacked. Raises UserError when the machine's mirror does not give it."""
    sources, wanted = sources_for(read_sources(), release), f"{package}/{release}"
    key = key_of(release, sources)
    return ensure(cache / package, key, lambda target: fetch(target, sources, wanted), keep=KEPT) / "root"
