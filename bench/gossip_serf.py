"""Debian's serf, unpacked into the cache from the package of a release: nothing is installed, nothing starts by itself.

The package is one binary that needs glibc 2.34, so each release's runs on Debian 12 and 13.
"""

from pathlib import Path

from hepto.edge import debian
from hepto.edge.apt import AptRoot, read_sources, sources_for
from hepto.edge.cache import ensure, key_of, remove_tree

RELEASES = ("bookworm", debian.SUITE)
"""serf 0.9.4 on memberlist 0.2.2 and serf 0.10.1 on memberlist 0.5.0."""


def ensure_serf(cache: Path, release: str = debian.SUITE) -> Path:
    """The binary, fetched if it is not in the cache. Raises UserError when the machine's mirror does not give it."""
    sources = sources_for(read_sources(), release)

    def make(target: Path) -> None:
        apt = AptRoot(target / "apt", sources)
        apt.update()
        apt.download(f"serf/{release}")
        apt.unpack(target / "root")
        remove_tree(target / "apt")

    return ensure(cache / "serf", key_of(release, sources), make, keep=2 * len(RELEASES)) / "root/usr/bin/serf"
