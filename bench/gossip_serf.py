"""Debian's serf. The package is one binary that needs glibc 2.34, so each release's runs on Debian 12 and 13."""

from pathlib import Path

from bench.package import ensure_package
from hepto.edge import debian

RELEASES = ("bookworm", debian.SUITE)
"""serf 0.9.4 on memberlist 0.2.2 and serf 0.10.1 on memberlist 0.5.0."""


def ensure_serf(cache: Path, release: str = debian.SUITE) -> Path:
    """The binary, fetched if it is not in the cache. Raises UserError when the machine's mirror does not give it."""
    return ensure_package(cache, "serf", release) / "usr/bin/serf"
