"""A message of a stream on its way: handed over whole, or as the bytes that a node would really send."""

from dataclasses import dataclass

from hepto.gossip.messages import PushPull, StreamMessage

STATE_BYTES = 77
"""Of a node's state beside name and meta: keys, address, incarnation, versions (memberlist-wire.md section 5)."""
FRAME_BYTES = 64
"""Of anything else: header record, label, encryption."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Quick: the very message; its size is reckoned, without compression."""

    message: StreamMessage

    @property
    def size(self) -> int:
        """Bytes that it would have."""
        if not isinstance(self.message, PushPull):
            return FRAME_BYTES
        states = self.message.states
        fixed = FRAME_BYTES + len(self.message.user_state) + STATE_BYTES * len(states)
        return fixed + sum(len(state.name) + len(state.meta) for state in states)


@dataclass(frozen=True, slots=True)
class Sealed:
    """Exact: what goes over the wire, to be read again by the receiver's rules."""

    data: bytes
    sender: int
    is_answer: bool

    @property
    def size(self) -> int:
        """Bytes that it has."""
        return len(self.data)
