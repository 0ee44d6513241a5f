"""LZW as the wire has it: 8-bit literals, codes of 9 to 12 bits from the least significant bit, late change of width.

Codes 0-255 are literals, 256 clears the table, 257 ends the data, from 258 on they are table entries. What comes out
of `compress` equals byte for byte what the Go library writes (wire, section 8). `expand` counts while it expands, so
that a few bytes which would become gigabytes cost no more than the limit.
"""

from hepto.gossip.reasons import GossipError, Reason

_CLEAR = 256
_END = 257
_FIRST_WIDTH = 9
_LAST_WIDTH = 12
_TABLE = 1 << _LAST_WIDTH
_REFILL = 6
"""Bytes taken into the bit buffer at once: enough for four codes, few enough for a short integer."""

_LITERALS: tuple[bytes | None, ...] = (*(bytes((value,)) for value in range(256)), None, None)


def compress(data: bytes) -> bytes:
    """`data` as one block."""
    out = bytearray()
    buffer, bits = _CLEAR, _FIRST_WIDTH
    width, last = _FIRST_WIDTH, _END
    codes: dict[int, int] = {}  # code of what came before, then a byte -> code
    prefix = -1
    for byte in data:
        if prefix < 0:
            prefix = byte
            continue
        longer = prefix << 8 | byte
        code = codes.get(longer)
        if code is not None:
            prefix = code
            continue
        buffer |= prefix << bits
        bits += width
        prefix = byte
        last += 1
        if last >> width:
            width += 1
        if last == _TABLE - 1:
            buffer |= _CLEAR << bits
            bits += width
            width, last = _FIRST_WIDTH, _END
            codes.clear()
        else:
            codes[longer] = last
        if bits >= 64:
            out += (buffer & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")
            buffer >>= 64
            bits -= 64
    if prefix >= 0:
        buffer |= prefix << bits
        bits += width
        last += 1
        if last >> width:
            width += 1
        if last == _TABLE - 1:
            buffer |= _CLEAR << bits
            bits += width
            width = _FIRST_WIDTH
    buffer |= _END << bits
    bits += width
    out += buffer.to_bytes((bits + 7) // 8, "little")
    return bytes(out)


def expand(data: bytes, limit: int) -> bytes:
    """The original of a block, at most `limit` bytes of it.

    Raises GossipError: lzw-truncated without an end code, lzw-bad-code, decompressed-too-large.
    """
    out: list[bytes] = []
    size = position = buffer = bits = 0
    width, mask = _FIRST_WIDTH, (1 << _FIRST_WIDTH) - 1
    table = list(_LITERALS)
    known = len(table)
    previous = b""  # nothing: the next code is the first after a clear
    while True:
        if bits < width:
            chunk = data[position : position + _REFILL]
            buffer |= int.from_bytes(chunk, "little") << bits
            bits += 8 * len(chunk)
            position += _REFILL
            if bits < width:
                raise GossipError(Reason.LZW_TRUNCATED)
        code = buffer & mask
        buffer >>= width
        bits -= width
        if code < known:
            entry = table[code]
            if entry is None:
                if code == _END:
                    return b"".join(out)
                width, mask = _FIRST_WIDTH, (1 << _FIRST_WIDTH) - 1
                del table[len(_LITERALS) :]
                known = len(table)
                previous = b""
                continue
        elif code == known and previous:
            entry = previous + previous[:1]
        else:
            raise GossipError(Reason.LZW_BAD_CODE, str(code))
        size += len(entry)
        if size > limit:
            raise GossipError(Reason.DECOMPRESSED_TOO_LARGE, f"more than {limit} bytes")
        out.append(entry)
        if previous and known < _TABLE:
            table.append(previous + entry[:1])
            known += 1
            if known > mask and width < _LAST_WIDTH:
                width += 1
                mask = (1 << width) - 1
        previous = entry
