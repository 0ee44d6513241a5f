"""The configuration of an installed node, as the files of its ESP. Pure.

hepto.conf                            what is no secret, NAME=VALUE
loader/credentials/hepto.NAME.cred    secrets; PID 1 hands them on in files that only root may read
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hepto.config import resolve
from hepto.given import Given
from hepto.options import BY_NAME, PREFIX, normalise

CONF = "hepto.conf"
CREDENTIALS = "loader/credentials"
HEAD = "# Written by hepto install. What is wrong here is said on the console of the node.\n"


@dataclass(frozen=True)
class Files:
    """Content by path below the ESP, and where the values came from."""

    content: dict[str, bytes] = field(repr=False)
    taken: tuple[str, ...]
    """`cluster (a flag)`, one for each option."""
    has_key: bool
    warnings: tuple[str, ...]


def files(givens: Sequence[Given]) -> Files:
    """From what was said, the strongest first. Raises UserError with all mistakes."""
    resolution = resolve(givens, key_elsewhere=True)
    config = resolution.require()
    lines, content, taken = [], {}, []
    for name, given in sorted(_chosen(givens).items()):
        option = BY_NAME[name]
        taken.append(f"{name} ({given.source})")
        if option.secret:
            content[f"{CREDENTIALS}/{PREFIX}{name}.cred"] = given.value or b""
        else:
            lines.append(name.encode() if given.value is None else name.encode() + b"=" + given.value)
    if lines:
        content[CONF] = HEAD.encode() + b"".join(line + b"\n" for line in lines)
    return Files(content, tuple(taken), bool(config.key or config.insecure), resolution.warnings)


def _chosen(givens: Iterable[Given]) -> dict[str, Given]:
    """Of each option the value in force, as `resolve` chooses it: of the strongest source the last."""
    found: dict[str, Given] = {}
    for given in givens:
        name = normalise(given.name)
        if name not in found or given.source.kind <= found[name].source.kind:
            found[name] = given
    return found
