"""Every named cap on what the wire may hold, with where it comes from. Each is checked before memory is taken.

Sizes are bytes. "wire N" is section N of the wire's specification, "trust N" of the trust design.
"""

# -- datagrams -----------------------------------------------------------------------------------------------------

EXPANDED_PACKET = 64 * 1024
"""What all compressed parts of one datagram may expand to together; no honest sender can exceed it (wire 8)."""
COMPOUND_PARTS = 255
"""The count is one byte (wire 6)."""
COMPOUND_PART = 65535
"""Each length is two bytes (wire 6)."""
NESTING = 4
"""Levels of compound and compression inside each other. Senders use two (wire 6)."""

# -- streams -------------------------------------------------------------------------------------------------------

STREAM_OWN = 20 * 1024 * 1024
"""On connections that we opened: what the reference allows itself (wire 21)."""
STREAM_GRANTED = 4 * 1024 * 1024
"""From the address of a granted member (trust 7)."""
STREAM_UNKNOWN = 64 * 1024
"""From anybody else (trust 7)."""
NODE_STATES = 1024 * 1024
"""Members in a push/pull (wire 21)."""
REFUSED_STATES = 256
"""Members of a push/pull that nobody should believe; with more the whole is refused. Ours: refusing costs time."""
STREAM_PAYLOAD = 20 * 1024 * 1024
"""User state of a push/pull, or a user message on a stream (wire 21); the stream's own limit is usually lower."""
USER_STATE = 1024 * 1024
"""What an application of ours may put into a push/pull. Ours: leaves room for members in `STREAM_GRANTED`."""

# -- records -------------------------------------------------------------------------------------------------------

RECORD_FIELDS = 64
"""Entries of one record, unknown ones included. Ours: no record has more than eight."""
RECORD_VALUES = 1024
"""Values below one entry of a record. Ours: what is read again with every segment that comes has to be short."""
NAME = 128
"""A member's name, serf's own optional limit (wire 21)."""
META = 512
"""A member's metadata (wire 21)."""
LABEL = 255
"""The cluster's name; its length is one byte (wire 10)."""
VERSIONS = 6
"""Protocol minimum, maximum, current; application minimum, maximum, current (wire 12)."""

# -- what we compress ----------------------------------------------------------------------------------------------

COMPRESS_AT_LEAST = 160
"""Shorter messages are sent as they are: LZW's 9-bit codes and the 13 bytes around them seldom win anything."""
COMPRESS_AT_MOST = 64 * 1024
"""Longer ones too: Python would be busy for longer than an answer to a ping may wait."""
