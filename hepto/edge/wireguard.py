"""The kernel's WireGuard devices by generic netlink (include/uapi/linux/wireguard.h).

Promises: a device's keys are never shown by repr. Peers come with the mesh; so far only the device itself is set.
"""

import struct
from dataclasses import dataclass, field

from hepto.edge.netlink import NETLINK_GENERIC, Netlink, attribute, attributes

GENL_ID_CTRL = 16
CTRL_CMD_GETFAMILY = 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
WG_CMD_GET_DEVICE, WG_CMD_SET_DEVICE = 0, 1
WGDEVICE_A_IFNAME, WGDEVICE_A_PRIVATE_KEY, WGDEVICE_A_LISTEN_PORT = 2, 3, 6
WG_VERSION = 1

_GENERIC = struct.Struct("=BBxx")
_PORT = struct.Struct("=H")


@dataclass(frozen=True, slots=True)
class Device:
    name: str
    port: int
    private_key: bytes = field(repr=False)


def set_device(device: Device) -> None:
    """Give the device its key and port. The same again changes nothing. Raises OSError."""
    body = (
        _GENERIC.pack(WG_CMD_SET_DEVICE, WG_VERSION)
        + attribute(WGDEVICE_A_IFNAME, device.name.encode() + b"\0")
        + attribute(WGDEVICE_A_PRIVATE_KEY, device.private_key)
        + attribute(WGDEVICE_A_LISTEN_PORT, _PORT.pack(device.port))
    )
    with Netlink(NETLINK_GENERIC) as kernel:
        kernel.request(f"wireguard device {device.name}", family(kernel), body)


def family(kernel: Netlink) -> int:
    """The number that the kernel gave the family `wireguard`. Raises OSError where the kernel has none."""
    body = _GENERIC.pack(CTRL_CMD_GETFAMILY, 2) + attribute(CTRL_ATTR_FAMILY_NAME, b"wireguard\0")
    (answer,) = kernel.get("wireguard", GENL_ID_CTRL, body)
    return int(_PORT.unpack_from(attributes(answer.body[_GENERIC.size :])[CTRL_ATTR_FAMILY_ID])[0])
