from hepto.net import solicit


def test_the_solicitation_is_the_packet_of_the_rfc() -> None:
    # Written out by hand after RFC 8200, 4443 and 4861; that Linux accepts the checksum is shown in the kernel tier.
    expected = "6000000000083aff 00000000000000000000000000000000 ff020000000000000000000000000002 85007bb800000000"

    assert solicit.packet() == bytes.fromhex(expected.replace(" ", ""))
    assert solicit.hardware_address() == bytes.fromhex("333300000002")


def test_the_checksum_is_that_of_the_rfc() -> None:
    """RFC 1071 section 3: the sum of 0001 f203 f4f5 f6f7 is ddf2."""
    assert solicit.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    assert solicit.checksum(b"\x01") == 0xFFFF - 0x0100
