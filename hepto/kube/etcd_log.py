"""Has etcd ever written anything? Pure: read from the first segment of its write-ahead log.

etcd makes its log, with two records that name the member, and later writes what a new cluster begins with. A power cut
in between leaves a member without a cluster, which every start from then on takes for a member that has one: it waits
for a leader for ever. Nobody can have been told anything by it, so its data may be made anew.

A record is a length of 8 bytes (little-endian; a negative one has padding behind the record, as many bytes as bits 56
to 58 say) and a message whose first field is the record's type (etcd: encoder.go and walpb/record.proto of
server/storage/wal). The file is allocated in advance: a length of 0 is the end.
"""

import struct
from typing import Final

FIRST: Final = "0000000000000000-0000000000000000.wal"
"""Name of the first segment."""
ENOUGH: Final = 65536
"""Bytes of it that say it: the records before the first entry take a hundred."""
_LENGTH: Final = struct.Struct("<q")
_TYPE_FIELD: Final = 0x08  # field 1, a number
_METADATA, _CHECKSUM, _SNAPSHOT = 1, 4, 5
_LONGEST: Final = 64
"""Bytes of one that is there before the cluster is: a damaged length must not lead past an entry."""
_OF_NOBODY: Final = (_METADATA, _CHECKSUM, _SNAPSHOT)
"""Records that are there before the cluster is."""


def is_unborn(beginning: bytes) -> bool:
    """True if the first segment, of which these are the first bytes, ends without an entry. What is damaged is not."""
    place = 0
    while place + _LENGTH.size <= len(beginning):
        (length,) = _LENGTH.unpack_from(beginning, place)
        if length == 0:
            return place > 0 and not any(beginning[place:])  # a damaged length must not hide what follows
        size, padding = length & ((1 << 56) - 1), (length >> 56) & 7 if length < 0 else 0
        record = beginning[place + _LENGTH.size : place + _LENGTH.size + size]
        if not 2 <= size <= _LONGEST or len(record) != size:
            return False
        if record[0] != _TYPE_FIELD or record[1] not in _OF_NOBODY:
            return False
        place += _LENGTH.size + size + padding
    return False
