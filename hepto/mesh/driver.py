"""Makes the mesh interface what the plan wants, and keeps its key in `identity/wireguard.key`.

Promises: everything may be done again (after a restart of the agent nothing is deleted or made anew); the key is
written durably before it is used, and is never logged.
"""

import secrets
from ipaddress import IPv6Interface

from hepto.edge import files, netlink, route, wireguard
from hepto.log import Log
from hepto.mesh.plan import INTERFACE, Mesh
from init.contract import durable

KEY_BYTES = 32
KEY_FILE = "wireguard.key"


def load_key(data: str) -> bytes:
    """The node's X25519 private key, made at the first call. `data` is the node's data directory."""
    directory = f"{data}/identity"
    path = f"{directory}/{KEY_FILE}"
    key = files.read(path, KEY_BYTES)
    if key is None:
        files.make_directory(directory)
        key = clamp(secrets.token_bytes(KEY_BYTES))
        durable.write(path, key)
    elif len(key) != KEY_BYTES:
        raise OSError(f"{path}: {len(key)} bytes are no WireGuard key")
    return key


def clamp(key: bytes) -> bytes:
    """A random number as an X25519 private key (RFC 7748 section 5)."""
    return bytes((key[0] & 248, *key[1:31], key[31] & 127 | 64))


class MeshDriver:
    """The interface `wg0` of this node."""

    def __init__(self, data: str):
        self._data = data
        self._applied: Mesh | None = None
        self._log = Log("mesh")

    def apply(self, wanted: Mesh) -> None:
        """Make it so. Raises OSError; calling again goes on where it stopped."""
        if wanted == self._applied:
            return
        with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
            for item in wanted.routes:
                if not item.through_mesh:
                    route.add_route(kernel, route.Route(item.destination))
            route.add_link(kernel, INTERFACE, "wireguard", wanted.mtu)
            index = route.index_of(INTERFACE)
            assert index is not None
            wireguard.set_device(wireguard.Device(INTERFACE, wanted.port, load_key(self._data)))
            route.set_link(kernel, index, up=True, mtu=wanted.mtu)
            route.add_address(kernel, index, IPv6Interface((wanted.address, 128)), detect=False)
            for item in wanted.routes:
                if item.through_mesh:
                    route.add_route(kernel, route.Route(item.destination, index, source=wanted.address))
        self._applied = wanted
        self._log.info("mesh interface is up", address=wanted.address, mtu=wanted.mtu)
