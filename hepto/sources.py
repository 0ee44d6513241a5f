"""Where configuration is found: kernel command line, credentials, ESP and volumes, `<data>/hepto.conf`, the image,
environment.

The parsers are pure; `read_machine` does the reading. Nothing here judges a value: what is found becomes a Given with
its source, what cannot be read becomes a Given with a defect, and `hepto.config.resolve` reports all of it together.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from hepto import options
from hepto.config import resolve
from hepto.given import FILES, Given, Source, SourceKind
from init.contract import paths

CMDLINE_LIMIT = 2048
"""COMMAND_LINE_SIZE of x86 and arm64 with its final NUL. The kernel cuts a longer line silently."""
CONF = FILES[0]
FILE_LIMIT = 64 * 1024
"""Bytes of a credential or of hepto.conf."""

_CREDENTIAL_KINDS = {
    "smbios": SourceKind.SMBIOS,
    "fw_cfg": SourceKind.FW_CFG,
    "esp": SourceKind.ESP,
    "volume": SourceKind.VOLUME,
    "cidata": SourceKind.CIDATA,
}

_HOST_KINDS = {"flag": SourceKind.FLAG, "environment": SourceKind.ENVIRONMENT}


def is_contained(root: Path = Path("/")) -> bool:
    """True in a container on a host, whose kernel command line and firmware are not this node's."""
    return any((root / paths.CREDENTIALS.strip("/") / name).is_dir() for name in paths.HOST_SOURCES)


def read_machine(root: Path = Path("/")) -> list[Given]:
    """Everything that a booted machine, or a container on a host, was given. Never raises."""
    if is_contained(root):
        found = ((root / paths.CREDENTIALS.strip("/") / name, kind) for name, kind in _HOST_KINDS.items())
        return [given for directory, kind in found for given in _read_credentials(directory, kind)]
    givens = _read_cmdline(root / "proc/cmdline")
    for name in _CREDENTIAL_KINDS:
        givens += _read_directory(root, name)
    givens += _read_image(root / paths.IMAGE_WORDS.strip("/"))
    return givens + _read_file(root / _data_directory(givens).strip("/") / CONF)


def read_volumes(root: Path = Path("/")) -> list[Given]:
    """What the ESP and volumes with configuration held. Never raises."""
    return [given for name in ("esp", "volume", "cidata") for given in _read_directory(root, name)]


def parse_cmdline(line: bytes, where: str = "/proc/cmdline", kind: SourceKind = SourceKind.CMDLINE) -> list[Given]:
    """The `hepto.*` words of a kernel command line; all others are ignored."""
    source = Source(kind, where)
    givens = []
    for word in split_words(line.rstrip(b"\n")):
        name, equals, value = word.text.partition(b"=")
        if not name.startswith(options.PREFIX.encode()):
            continue
        defect = ("the double quote is never closed", "close it") if word.unclosed else None
        givens.append(_given(name, value if equals else None, source, defect))
    if givens and len(line.rstrip(b"\n")) >= CMDLINE_LIMIT - 1:
        defect = (
            f"the command line fills the kernel's {CMDLINE_LIMIT - 1:,} bytes, so its end may be lost",
            "give some of the options as credentials",
        )
        givens[-1] = Given(givens[-1].name, givens[-1].value, source, defect)
    return givens


class Word:
    """A word of the kernel command line, without its quotes."""

    __slots__ = ("text", "unclosed")

    def __init__(self, text: bytes, *, unclosed: bool):
        self.text = text
        self.unclosed = unclosed


def split_words(line: bytes) -> Iterator[Word]:
    """Split as the kernel does (next_arg() in lib/cmdline.c).

    A double quote anywhere hides white space until the next one; quotes around a whole word or around a whole value are
    taken off, others stay.
    """
    start = 0
    while start < len(line):
        if line[start : start + 1].isspace():
            start += 1
            continue
        end, quoted = start, False
        while end < len(line) and (quoted or not line[end : end + 1].isspace()):
            quoted ^= line[end : end + 1] == b'"'
            end += 1
        yield Word(_unquote(line[start:end]), unclosed=quoted)
        start = end


def _unquote(word: bytes) -> bytes:
    if word.startswith(b'"'):
        return word[1:].removesuffix(b'"')
    name, equals, value = word.partition(b"=")
    if value.startswith(b'"'):
        value = value[1:].removesuffix(b'"')
    return name + equals + value


def quote(key: str, text: str) -> str:
    """The word of a kernel command line that gives `key` the value `text`, which holds no double quote."""
    return f'{key}="{text}"' if any(character.isspace() for character in text) else f"{key}={text}"


def parse_file(data: bytes, where: str, kind: SourceKind = SourceKind.FILE) -> list[Given]:
    """The lines `NAME=VALUE` of a hepto.conf; `hepto.` before a name may be left out, `#` begins a comment line."""
    source = Source(kind, where)
    givens = []
    for line in data.split(b"\n"):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        name, equals, value = text.partition(b"=")
        name = name.strip()
        defect = None
        if kind is SourceKind.FILE and options.normalise(_name(name)) == "data":
            defect = ("data cannot be given in a file that lies below it", "give it on the kernel command line")
        givens.append(_given(name, value.strip() if equals else None, source, defect))
    return givens


def parse_environment(environment: Mapping[str, str]) -> list[Given]:
    """The variables `HEPTO_*`."""
    source = Source(SourceKind.ENVIRONMENT)
    return [
        Given(name.removeprefix(options.ENVIRONMENT_PREFIX).lower(), os.fsencode(value), source)
        for name, value in environment.items()
        if name.startswith(options.ENVIRONMENT_PREFIX)
    ]


def _given(name: bytes, value: bytes | None, source: Source, defect: tuple[str, str] | None = None) -> Given:
    return Given(_name(name), value, source, defect)


def _name(key: bytes) -> str:
    return key.removeprefix(options.PREFIX.encode()).decode(errors="replace")


def _read_cmdline(path: Path) -> list[Given]:
    # No /proc/cmdline: the machine was not booted by a kernel of its own, and credentials have to do.
    source = Source(SourceKind.CMDLINE, str(path))
    return _read_list(path, source, parse_cmdline)


def _read_file(path: Path, kind: SourceKind = SourceKind.FILE) -> list[Given]:
    return _read_list(path, Source(kind, str(path)), lambda data, where: parse_file(data, where, kind))


def _read_image(path: Path) -> list[Given]:
    kind = SourceKind.IMAGE
    return _read_list(path, Source(kind, str(path)), lambda data, where: parse_cmdline(data, where, kind))


def _read_directory(root: Path, name: str) -> list[Given]:
    """What PID 1 has found in one place: its files of lines, and its credentials."""
    kind = _CREDENTIAL_KINDS[name]
    directory = root / paths.CREDENTIALS.strip("/") / name
    givens = [given for file in FILES for given in _read_file(directory / file, kind)]
    return givens + _read_credentials(directory, kind)


def _read_list(path: Path, source: Source, parse: Callable[[bytes, str], list[Given]]) -> list[Given]:
    try:
        return parse(_read(path), str(path))
    except FileNotFoundError:
        return []
    except OSError as error:
        # Which options are in it is not known; some name has to stand for the file.
        return [Given("cluster", None, source, (f"{path}: {error.strerror}", "make it a readable file, or remove it"))]


def _read_credentials(directory: Path, kind: SourceKind) -> list[Given]:
    givens = []
    try:
        files = sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        defect = (f"{directory}: {error.strerror}", "only root may read credentials")
        return [Given("key", None, Source(kind, str(directory)), defect)]
    for file in files:
        if not file.name.startswith(options.PREFIX) or file.name in FILES:
            continue
        source = Source(kind, str(file))
        name = os.fsencode(file.name.removesuffix(".cred"))
        try:
            value = _read(file)
        except OSError as error:
            defect = (f"{file}: {error.strerror}", "make it a readable file")
            givens.append(_given(name, None, source, defect))
        else:
            # `echo KEY > FILE` ends the line; no option's value does.
            givens.append(_given(name, value.removesuffix(b"\n").removesuffix(b"\r"), source))
    return givens


def _read(path: Path) -> bytes:
    # Non-blocking: what lies there may be a FIFO.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        data = file.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise OSError(errno.EFBIG, f"larger than {FILE_LIMIT // 1024} KiB", str(path))
    return data


def _data_directory(givens: list[Given]) -> str:
    """Where to look for hepto.conf: mistakes elsewhere must not hide the file, so only `data` is looked at."""
    relevant = [given for given in givens if options.normalise(given.name) == "data"]
    config = resolve(relevant, key_elsewhere=True).config
    return str(config.data) if config else paths.DATA
