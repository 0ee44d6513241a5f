"""Credentials that the machine was started with: SMBIOS type 11 strings and QEMU's fw_cfg, written below
/run/credentials.

The parsers are pure and survive any bytes: firmware tables are input from outside. A value is never logged; names may
be. Files are 0400 in directories 0700, one directory for each source, because `hepto.sources` reports where a value
came from.
"""

import base64
import binascii
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from init.contract import durable, paths

DMI_TABLE = "/sys/firmware/dmi/tables/DMI"
FW_CFG = "/sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials"
TEXT = b"io.systemd.credential:"
BINARY = b"io.systemd.credential.binary:"

MAX_TABLE = 16 * 1024 * 1024
MAX_VALUE = 1024 * 1024
"""systemd's CREDENTIAL_SIZE_MAX; also the limit for all of one source together."""
MODE = 0o400
OEM_STRINGS = 11  # DSP0134 7.12
END_OF_TABLE = 127


@dataclass(frozen=True, repr=False)
class Credential:
    """A name and its value, which no representation shows."""

    name: str
    value: bytes

    def __repr__(self) -> str:
        return f"Credential({self.name!r}, {len(self.value)} bytes)"


@dataclass(frozen=True)
class Found:
    """What a source held: the credentials, and one sentence for each thing that was passed over."""

    credentials: tuple[Credential, ...] = ()
    mistakes: tuple[str, ...] = ()


def valid_name(name: str) -> bool:
    """True for what can be a file name and a credential's (systemd's credential_name_valid): short, printable ASCII, no
    slash."""
    return 0 < len(name) <= 255 and name.isascii() and name.isprintable() and "/" not in name and name[0] != "."


def oem_strings(table: bytes) -> Iterator[bytes]:
    """The strings of all type 11 structures of an SMBIOS table (DSP0134 6.1). A cut or garbled table ends the walk."""
    at = 0
    while at + 4 <= len(table):
        kind, length = table[at], table[at + 1]
        if length < 4 or kind == END_OF_TABLE:
            return
        end = table.find(b"\0\0", at + length)
        if end < 0:
            return
        if kind == OEM_STRINGS and end > at + length:
            yield from table[at + length : end].split(b"\0")
        at = end + 2


def parse_smbios(table: bytes) -> Found:
    """Credentials of an SMBIOS table. Of two with one name the first counts."""
    credentials: dict[str, Credential] = {}
    mistakes: list[str] = []
    total = 0
    for text in oem_strings(table[:MAX_TABLE]):
        prefix = next((prefix for prefix in (TEXT, BINARY) if text.startswith(prefix)), None)
        if prefix is None:
            continue
        raw, equals, value = text.removeprefix(prefix).partition(b"=")
        name = raw.decode("ascii", "replace")
        if not equals or not valid_name(name):
            mistakes.append(f"SMBIOS: {name[:40]!r} is no name of a credential")
            continue
        if prefix == BINARY:
            try:
                value = base64.b64decode(value, validate=True)
            except (ValueError, binascii.Error):
                mistakes.append(f"SMBIOS: credential {name} is not base64")
                continue
        if name in credentials:
            mistakes.append(f"SMBIOS: credential {name} is given twice; the first counts")
            continue
        total += len(value)
        if total > MAX_VALUE:
            mistakes.append(f"SMBIOS: credential {name} and what follows are over {MAX_VALUE} bytes")
            break
        credentials[name] = Credential(name, value)
    return Found(tuple(credentials.values()), tuple(mistakes))


def read_smbios(root: str = "") -> Found:
    """Credentials of this machine's SMBIOS table; nothing where there is none."""
    with contextlib.suppress(FileNotFoundError), open(root + DMI_TABLE, "rb") as file:
        return parse_smbios(file.read(MAX_TABLE))
    return Found()


def read_fw_cfg(root: str = "") -> Found:
    """Credentials that QEMU hands over as files `opt/io.systemd.credentials/NAME`."""
    try:
        names = sorted(os.listdir(root + FW_CFG))
    except (FileNotFoundError, NotADirectoryError):
        return Found()
    credentials: list[Credential] = []
    mistakes: list[str] = []
    total = 0
    for name in names:
        if not valid_name(name):
            mistakes.append(f"fw_cfg: {name[:40]!r} is no name of a credential")
            continue
        try:
            with open(f"{root}{FW_CFG}/{name}/raw", "rb") as file:
                value = file.read(MAX_VALUE + 1)
        except OSError as error:
            mistakes.append(f"fw_cfg: credential {name} cannot be read: {error.strerror}")
            continue
        total += len(value)
        if total > MAX_VALUE:
            mistakes.append(f"fw_cfg: credential {name} and what follows are over {MAX_VALUE} bytes")
            break
        credentials.append(Credential(name, value))
    return Found(tuple(credentials), tuple(mistakes))


def write(source: str, credentials: tuple[Credential, ...], root: str = "") -> None:
    """Write credentials to /run/credentials/SOURCE; again with the same changes nothing."""
    for directory in (paths.CREDENTIALS, f"{paths.CREDENTIALS}/{source}"):
        with contextlib.suppress(FileExistsError):
            os.mkdir(root + directory, 0o700)
        os.chmod(root + directory, 0o700)
    for credential in credentials:
        durable.write_if_changed(
            f"{root}{paths.CREDENTIALS}/{source}/{credential.name}", credential.value, MODE, sync=False
        )
