"""Frames of the lab channel: four bytes of big-endian length, then one JSON object (UTF-8).

The same frames run over virtio-serial between holder and node and over the holder's socket between command and
holder. Pure. Requests carry an `id`; answers repeat it: any number of `stream` frames, then exactly one with `exit`
or `error`. A node greets with `{"hello": 1}` whenever it opens the port.

`Decoder` gives every complete frame it has seen, raises PeerError for anything that is no frame, and then refuses to
go on: the stream has no marks by which it could be found again. Start a new one when the port is opened anew.
"""

import base64
import binascii
import json
import re
import struct
from typing import Any

from hepto.errors import PeerError

MAX_FRAME = 1024 * 1024
"""Bytes of JSON in one frame."""
MAX_STDIN = 512 * 1024
"""Bytes of standard input that fit into a request beside its argv (base64 takes four bytes for three)."""
PIECE = 64 * 1024
"""Bytes of output in one frame."""
HEAD = struct.Struct("!I")

Frame = dict[str, Any]


def encode(frame: Frame) -> bytes:
    """The bytes of `frame`. Raises ValueError when it is larger than a frame may be."""
    body = json.dumps(frame, separators=(",", ":")).encode()
    if len(body) > MAX_FRAME:
        raise ValueError(f"a frame of {len(body)} bytes; the limit is {MAX_FRAME}")
    return HEAD.pack(len(body)) + body


class Decoder:
    """Bytes in, frames out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._broken = False

    def feed(self, data: bytes) -> list[Frame]:
        """Take `data` and return the frames that are complete now. Raises PeerError; from then on always."""
        if self._broken:
            raise PeerError("broken-stream", "nothing can be read after a bad frame")
        self._buffer += data
        frames = []
        while len(self._buffer) >= HEAD.size:
            (length,) = HEAD.unpack_from(self._buffer)
            if length > MAX_FRAME:
                self._broken = True
                raise PeerError("frame-too-long", f"{length} bytes; the limit is {MAX_FRAME}")
            end = HEAD.size + length
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[HEAD.size : end])
            del self._buffer[:end]
            frames.append(self._parse(body))
        return frames

    @property
    def pending(self) -> bytes:
        """The beginning of a frame that is not complete."""
        return bytes(self._buffer)

    def _parse(self, body: bytes) -> Frame:
        try:
            frame = json.loads(body)
        except (ValueError, RecursionError):
            self._broken = True
            raise PeerError("not-json", repr(body[:60])) from None
        if not isinstance(frame, dict):
            self._broken = True
            raise PeerError("not-an-object", repr(body[:60]))
        return frame


def pack(data: bytes) -> str:
    """Bytes as they travel in a frame."""
    return base64.b64encode(data).decode("ascii")


def unpack(frame: Frame) -> bytes:
    """The bytes that a stream frame carries. Raises PeerError when there are none."""
    try:
        return base64.b64decode(frame["data"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise PeerError("bad-data", f"stream frame of request {frame.get('id')!r}") from None


HELLO = re.compile(rb'\x00\x00\x00[\x0b\x0c]\{"hello": ?1\}')
"""The frame of a node that has opened the port. It cannot occur inside another frame, whose texts escape the quotes."""
HELLO_LONGEST = 16


class GuestStream:
    """What comes out of a node's port, across reboots and restarts of the serving process.

    A death of the process cuts its last frame anywhere, so frames are believed only from a greeting on; `lost` says
    that the port was closed. What was read meanwhile is searched for the next greeting, because the machine
    protocol's events and the port's bytes come by different ways and may overtake each other.
    """

    def __init__(self) -> None:
        self._decoder: Decoder | None = None
        self._junk = b""

    @property
    def open(self) -> bool:
        """True between a greeting and the loss of the port."""
        return self._decoder is not None

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now;

        a greeting is one of them. Never raises: after a broken frame it waits for a greeting.
        """
        frames: list[Frame] = []
        while data:
            if self._decoder is None:
                self._junk += data
                match = HELLO.search(self._junk)
                if match is None:
                    self._junk = self._junk[-HELLO_LONGEST:]
                    return frames
                data, self._junk = self._junk[match.start() :], b""
                self._decoder = Decoder()
            decoder = self._decoder
            try:
                return frames + decoder.feed(data)
            except PeerError:
                data = self._give_up()
        return frames

    def lost(self) -> list[Frame]:
        """The guest has closed the port or was reset.

        Returns frames of its successor if they have been read already.
        """
        return self.feed(self._give_up())

    def _give_up(self) -> bytes:
        """Forget the stream; what is left of it may hold the next greeting behind its first byte."""
        left = self._decoder.pending if self._decoder is not None else b""
        self._decoder = None
        return left[1:]
