"""The wire's dialect of msgpack: writing as old receivers need it, reading all that anybody sends (wire, section 4).

Written: raw only (never str8 or bin), the shortest integers. Read: raw, str and bin for text and bytes, an array of
small integers for bytes, every width of integer, 0 and 1 for booleans, nil for zero; unknown keys are skipped, of a
duplicated key the last counts, what follows the record is left alone.

Reading is done here and not by the msgpack package, since that takes memory for what an array announces before the
array is there (nested ones multiply), has no bound on time for what is thrown away, and cannot tell "more to come"
from "never right", which a stream needs. Here nothing is taken that is not present.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from hepto.gossip import limits
from hepto.gossip.reasons import GossipError, Reason

Value: TypeAlias = int | bytes | bool | list[int] | None
Kinds: TypeAlias = Mapping[bytes, int]
"""A record's fields: key -> the number of bits of an unsigned integer, or one of the kinds below."""

SIGNED = -1
"""An integer of 64 bits."""
BOOLEAN = -2
TEXT = -3
BYTES = -4


class TruncatedError(GossipError):
    """The bytes end before the value does; at least `needed` bytes from the start of the buffer are missing for it."""

    def __init__(self, needed: int):
        super().__init__(Reason.MSGPACK_INVALID, "ends too early")
        self.needed = needed


# -- writing -------------------------------------------------------------------------------------------------------

_BYTES = tuple(bytes((value,)) for value in range(256))


def raw(data: bytes) -> bytes:
    """Text or bytes, in the form that every generation of receivers understands."""
    size = len(data)
    if size < 32:
        return _BYTES[0xA0 | size] + data
    if size < 1 << 16:
        return b"\xda" + size.to_bytes(2, "big") + data
    return b"\xdb" + size.to_bytes(4, "big") + data


def unsigned(value: int) -> bytes:
    """An integer of a field that cannot be negative."""
    if value < 0x80:
        return _BYTES[value]
    if value < 1 << 8:
        return b"\xcc" + _BYTES[value]
    if value < 1 << 16:
        return b"\xcd" + value.to_bytes(2, "big")
    if value < 1 << 32:
        return b"\xce" + value.to_bytes(4, "big")
    return b"\xcf" + value.to_bytes(8, "big")


def signed(value: int) -> bytes:
    """An integer of a field that could be negative, as the current reference writes it: 128 takes three bytes."""
    if -32 <= value < 0x80:
        return _BYTES[value & 0xFF]
    for head, size in ((b"\xd0", 1), (b"\xd1", 2), (b"\xd2", 4)):
        if -1 << size * 8 - 1 <= value < 1 << size * 8 - 1:
            return head + value.to_bytes(size, "big", signed=True)
    return b"\xd3" + value.to_bytes(8, "big", signed=True)


# -- reading -------------------------------------------------------------------------------------------------------

# The first byte of a value -> how many bytes follow it, for values of one size (of extensions with their code).
_FIXED = {
    **dict.fromkeys((0xC0, 0xC2, 0xC3), 0),
    **dict.fromkeys((0xCC, 0xD0), 1),
    **dict.fromkeys((0xCD, 0xD1, 0xD4), 2),
    **dict.fromkeys((0xCA, 0xCE, 0xD2), 4),
    **dict.fromkeys((0xCB, 0xCF, 0xD3), 8),
    0xD5: 3,
    0xD6: 5,
    0xD7: 9,
    0xD8: 17,
}
# -> how many bytes its length has, for text and bytes; the same for extensions, whose code follows the length.
_RAW = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_EXTENSION = {0xC7: 1, 0xC8: 2, 0xC9: 4}
# -> how many bytes its count has, and how many values an entry has, for arrays and maps.
_COUNTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
_UNSIGNED = range(0xCC, 0xD0)
_SIGNED = range(0xD0, 0xD4)
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def record(data: bytes, kinds: Kinds, position: int = 0) -> tuple[dict[bytes, Any], int]:
    """The record at `position` as known key -> value, and where it ends.

    What is nil or missing is not in the result. Raises TruncatedError, or GossipError with msgpack-invalid or
    msgpack-type.
    """
    fields: dict[bytes, Any] = {}  # Any: each value is of its key's kind, which no type can say
    try:
        count, position = _entries(data, position)
        for _ in range(count):
            # A string that reaches beyond the end is noticed at the next byte read, the last one after the loop.
            head = data[position]
            if 0xA0 <= head < 0xC0:
                start = position + 1
                position += head - 0x9F
                key = data[start:position]
            else:
                key, position = _key(data, position)
            kind = kinds.get(key)
            if kind is None:
                position = _skip(data, position)
                continue
            head = data[position]
            value: Value
            if head < 0x80:
                value = head
                position += 1
            elif 0xA0 <= head < 0xC0:
                start = position + 1
                position += head - 0x9F
                value = data[start:position]
            else:
                value, position = _scalar(data, position, head)
            if value is None:
                fields.pop(key, None)
            elif type(value) is bytes if kind <= TEXT else kind > 0 and type(value) is int and not value >> kind:
                fields[key] = value  # the usual form; the shift finds both too large and negative
            else:
                fields[key] = _converted(kind, value, key)
    except IndexError:
        raise TruncatedError(max(position, len(data)) + 1) from None
    if position > len(data):
        raise TruncatedError(position)
    return fields, position


def _entries(data: bytes, position: int) -> tuple[int, int]:
    """The number of a map's entries, and where they begin. nil is a map of none."""
    head = data[position]
    if 0x80 <= head < 0x90:
        return head & 0x0F, position + 1
    if head == 0xC0:
        return 0, position + 1
    if head not in (0xDE, 0xDF):
        raise GossipError(Reason.MSGPACK_TYPE, "a record is a map")
    count, position = _number(data, position + 1, _COUNTED[head][0])
    if count > limits.RECORD_FIELDS:
        raise GossipError(Reason.MSGPACK_INVALID, f"{count} fields")
    return count, position


def _key(data: bytes, position: int) -> tuple[bytes, int]:
    """A field's name in one of the long forms."""
    width = _RAW.get(data[position])
    if width is None:
        raise GossipError(Reason.MSGPACK_TYPE, "a field's name is text")
    size, position = _number(data, position + 1, width)
    return data[position : position + size], position + size


def _scalar(data: bytes, position: int, head: int) -> tuple[Value, int]:
    """A value that is neither a small integer nor a short string."""
    if head >= 0xE0:
        return head - 0x100, position + 1
    if head in _CONSTANTS:
        return _CONSTANTS[head], position + 1
    if head in _UNSIGNED:
        return _number(data, position + 1, _FIXED[head])
    if head in _SIGNED:
        return _number(data, position + 1, _FIXED[head], signed=True)
    if head in _RAW:
        size, position = _number(data, position + 1, _RAW[head])
        return data[position : position + size], position + size
    if 0x90 <= head < 0xA0:
        return _array(data, position + 1, head & 0x0F)
    if head in (0xDC, 0xDD):
        count, position = _number(data, position + 1, _COUNTED[head][0])
        return _array(data, position, count)
    raise GossipError(Reason.MSGPACK_TYPE, f"no field is of type {head:#x}")


def _number(data: bytes, position: int, width: int, *, signed: bool = False) -> tuple[int, int]:
    """An integer of `width` bytes. Never a guess from its first bytes: it may be a length."""
    end = position + width
    if end > len(data):
        raise TruncatedError(end)
    return int.from_bytes(data[position:end], "big", signed=signed), end


def _array(data: bytes, position: int, count: int) -> tuple[list[int], int]:
    """An array of integers, which stands for bytes."""
    if count > limits.RECORD_VALUES:
        raise GossipError(Reason.MSGPACK_INVALID, f"an array of {count}")
    values = []
    for _ in range(count):
        head = data[position]
        value, position = (head, position + 1) if head < 0x80 else _scalar(data, position, head)
        if type(value) is not int:
            raise GossipError(Reason.MSGPACK_TYPE, "an array holds integers")
        values.append(value)
    return values, position


def _converted(kind: int, value: Value, key: bytes) -> int | bytes:
    """A value in a form that is not the usual one, if it is one of those allowed."""
    if kind == SIGNED and type(value) is int and -1 << 63 <= value < 1 << 63:
        return value
    if kind == BOOLEAN and type(value) in (bool, int) and value in (0, 1):
        return bool(value)
    if kind == BYTES and type(value) is list and all(0 <= item < 0x100 for item in value):
        return bytes(value)
    raise GossipError(Reason.MSGPACK_TYPE, key.decode())


def _skip(data: bytes, position: int) -> int:
    """Where the value at `position` ends, whatever it is."""
    pending = 1
    seen = 0
    while pending:
        pending -= 1
        seen += 1
        head = data[position]
        position += 1
        if head < 0x80 or head >= 0xE0:
            continue
        if head < 0xA0:
            pending += (head & 0x0F) * (2 if head < 0x90 else 1)
        elif head < 0xC0:
            position += head & 0x1F
        elif head in _FIXED:
            position += _FIXED[head]
        elif head in _RAW:
            size, position = _number(data, position, _RAW[head])
            position += size
        elif head in _EXTENSION:
            size, position = _number(data, position, _EXTENSION[head])
            position += 1 + size
        elif head in _COUNTED:
            width, values = _COUNTED[head]
            count, position = _number(data, position, width)
            pending += count * values
        else:
            raise GossipError(Reason.MSGPACK_INVALID, f"{head:#x} begins no value")
        if seen + pending > limits.RECORD_VALUES:
            raise GossipError(Reason.MSGPACK_INVALID, "too many values")
    return position
