"""The name of a node that was given none: kept from the data directory, else made from the machine.

Pure and stable: the same machine has the same name on every boot, for its addresses follow from it.
"""

import hashlib
import re
from collections.abc import Collection

from hepto.config import Config
from hepto.errors import ExitCode, UserError

DIGITS = 8

# Boards leave the factory with these; two nodes of one name would fight for one address.
_PLACEHOLDERS = frozenset(
    (
        "00020003-0004-0005-0006-000700080009",
        "00010203-0405-0607-0809-0a0b0c0d0e0f",
        "03000200-0400-0500-0006-000700080009",
        "03020100-0504-0706-0809-0a0b0c0d0e0f",
        "03d40274-0435-05dc-8506-010700080009",
        "12345678-1234-5678-90ab-cddeefaabbcc",
        "12345678-1234-1234-1234-123456789abc",
        "deadbeef-dead-beef-dead-beefdeadbeef",
    )
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def node_name(config: Config, uuid: str | None, mac: str | None, existing_nodes: Collection[str] = ()) -> str:
    """The name in force.

    `uuid` is SMBIOS's as /sys/class/dmi/id/product_uuid shows it, `mac` the first permanent one, `existing_nodes` the
    names of the directories in <data>/<cluster>. Both identifiers are hashed as text in small letters, so that
    `printf UUID | sha256sum` shows the name of a machine before it boots.
    """
    if config.name is not None:
        return config.name
    if len(existing_nodes) == 1:
        return next(iter(existing_nodes))
    identifier = usable_uuid(uuid) or usable_mac(mac)
    if identifier is None:
        raise UserError(
            "this machine has neither an SMBIOS UUID nor a MAC address to make a name from",
            "give the node a name: hepto.name=NAME",
            ExitCode.USAGE,
        )
    return f"node-{hashlib.sha256(identifier.encode()).hexdigest()[:DIGITS]}"


def usable_uuid(uuid: str | None) -> str | None:
    """The UUID in small letters, unless it is none or one that many machines share."""
    text = (uuid or "").strip().lower()
    # One digit (or one byte) throughout: all zeros, all ones, and what lazy vendors fill in.
    monotonous = len(set(re.findall("..", text.replace("-", "")))) == 1
    return text if _UUID.fullmatch(text) and not monotonous and text not in _PLACEHOLDERS else None


def usable_mac(mac: str | None) -> str | None:
    """The MAC in small letters, unless it is none, all zeros or a group address."""
    text = (mac or "").strip().lower()
    if not _MAC.fullmatch(text) or text == "00:00:00:00:00:00" or int(text[:2], 16) & 1:
        return None
    return text
