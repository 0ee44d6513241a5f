"""WireGuard's values, and the public half of a key by somebody else's vector."""

import subprocess
import sys
from ipaddress import IPv6Address

import pytest

from hepto.wireguard import Endpoint, public_key


def test_the_public_half_is_that_of_the_standard() -> None:
    private = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")  # RFC 7748 section 6.1

    assert public_key(private).hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"


def test_what_is_no_key_has_no_public_half() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        public_key(bytes(31))


def test_an_endpoint_is_written_as_it_is_typed() -> None:
    assert str(Endpoint(IPv6Address("2001:db8::1"), 7948)) == "[2001:db8::1]:7948"


def test_the_values_alone_cost_no_library() -> None:
    code = "import sys, hepto.wireguard; sys.exit('cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
