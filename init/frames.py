"""Frames of the lab's channel: four bytes of big-endian length, then one JSON object. Pure; the node's end of
`hepto.lab.channel`."""

import base64
import json
import struct
from typing import Any

MAX_FRAME = 1024 * 1024
PIECE = 48 * 1024
"""Bytes of output in one frame: small enough that several streams take turns."""
HEAD = struct.Struct("!I")

Frame = dict[str, Any]


class BadFrameError(ValueError):
    """What was received is no frame; where the next one begins cannot be known."""


def encode(frame: Frame) -> bytes:
    """The bytes of a frame. Those that the node sends are always small enough."""
    body = json.dumps(frame, separators=(",", ":")).encode()
    assert len(body) <= MAX_FRAME
    return HEAD.pack(len(body)) + body


def pack(data: bytes) -> str:
    """Bytes as text."""
    return base64.b64encode(data).decode("ascii")


def unpack(text: str) -> bytes:
    """The reverse of `pack`. Raises ValueError."""
    return base64.b64decode(text, validate=True)


class Decoder:
    """Bytes in, frames out; after BadFrameError it is of no more use."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now. Raises BadFrameError."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= HEAD.size:
            (length,) = HEAD.unpack_from(self._buffer)
            if length > MAX_FRAME:
                raise BadFrameError(f"a frame of {length} bytes; the limit is {MAX_FRAME}")
            if len(self._buffer) < HEAD.size + length:
                break
            try:
                frame = json.loads(bytes(self._buffer[HEAD.size : HEAD.size + length]))
            except (ValueError, RecursionError):
                raise BadFrameError("not JSON") from None
            if not isinstance(frame, dict):
                raise BadFrameError("not an object")
            del self._buffer[: HEAD.size + length]
            frames.append(frame)
        return frames
