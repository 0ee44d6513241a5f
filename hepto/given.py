"""What was given and where: the raw material of a configuration.

Promises that a value never shows, for it may be a secret, and that what is shown of anything stays on one line.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from hepto import options

_LONGEST_SHOWN = 60
FILES = ("hepto.conf", "user-data")
"""Files of lines NAME=VALUE on the ESP and on volumes; all others there are credentials."""


class SourceKind(IntEnum):
    """Where a value can come from, the strongest first."""

    FLAG = 0
    ENVIRONMENT = 1
    CMDLINE = 2
    SMBIOS = 3
    FW_CFG = 4
    ESP = 5
    VOLUME = 6
    CIDATA = 7
    FILE = 8
    IMAGE = 9
    DEFAULT = 10


@dataclass(frozen=True)
class Source:
    """Where a value comes from; `where` is the file, if it is one."""

    kind: SourceKind
    where: str = ""

    def __str__(self) -> str:
        match self.kind:
            case SourceKind.FLAG:
                return "a flag"
            case SourceKind.ENVIRONMENT:
                return "the environment"
            case SourceKind.CMDLINE:
                return "the kernel command line"
            case SourceKind.SMBIOS:
                return "an SMBIOS credential"
            case SourceKind.FW_CFG:
                return "a fw_cfg credential"
            case SourceKind.ESP | SourceKind.VOLUME | SourceKind.CIDATA:
                file = self.where.rpartition("/")[2]
                place = {SourceKind.ESP: "the ESP", SourceKind.VOLUME: "the volume hepto-conf"}
                what = file if file in FILES else "a credential"
                return f"{what} on {place.get(self.kind, 'the volume cidata')}"
            case SourceKind.IMAGE:
                return "the image (hepto build --set)"
            case SourceKind.FILE:
                return self.where
            case SourceKind.DEFAULT:
                return "the default"

    @property
    def origin(self) -> str:
        """ " from …" to follow a name, unless its spelling says it already."""
        return "" if self.kind in (SourceKind.FLAG, SourceKind.ENVIRONMENT) else f" from {self}"

    def spell(self, name: str) -> str:
        """How option `name` is written in this source."""
        match self.kind:
            case SourceKind.FLAG:
                return f"--{name}"
            case SourceKind.ENVIRONMENT:
                return options.ENVIRONMENT_PREFIX + name.replace("-", "_").upper()
            case _:
                return options.PREFIX + name


DEFAULT = Source(SourceKind.DEFAULT)


@dataclass(frozen=True)
class Given:
    """One thing that was given: the bytes as found, not yet looked at."""

    name: str
    """Without `hepto.`, as spelled."""
    value: bytes | None = field(repr=False)
    """None: a word without `=`."""
    source: Source
    defect: tuple[str, str] | None = None
    """What the reader of the source has to complain about, and what to do; then the value does not count."""


def printable(text: str) -> str:
    """`text` on one line, fit for a terminal: control characters escaped."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def shorten(text: str) -> str:
    """The same, and the rest of a long one left out."""
    escaped = printable(text)
    return escaped if len(escaped) <= _LONGEST_SHOWN else escaped[:_LONGEST_SHOWN] + "…"
