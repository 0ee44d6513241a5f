"""A node's serial console on the user's terminal: raw both ways, until the escape key.

Everything typed goes to the node, Ctrl-C too; Ctrl-] leaves, as in telnet and virsh. The terminal is put back
whatever happens.
"""

import os
import select
import sys
import termios
import tty
from typing import BinaryIO

from hepto.lab import channel
from hepto.lab.client import LabClient

ESCAPE = b"\x1d"
REPLAY = 4096
"""Bytes of what was said before that are shown first, so that the screen is not blank."""


def interact(client: LabClient, node: str, keys: int, screen: BinaryIO) -> None:
    """Connect the terminal `keys` with the console of `node` until Ctrl-] or the lab's end."""
    log = client.where.node(node).console
    number = client.send("console", node=node)
    before = termios.tcgetattr(keys)
    try:
        tty.setraw(keys)
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - REPLAY))
            screen.write(file.read())
        screen.flush()
        while _turn(client, node, number, keys, screen):
            pass
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)
        print(file=sys.stderr)


def _turn(client: LabClient, node: str, number: int, keys: int, screen: BinaryIO) -> bool:
    """Move what there is in one direction or the other; false to leave."""
    ready, _, _ = select.select([client, keys], [], [])
    if keys in ready:
        typed = os.read(keys, 4096)
        before, escape, _ = typed.partition(ESCAPE)
        if before:
            client.send("type", node=node, target=number, data=channel.pack(before))
        if escape or not typed:
            return False
    while client.readable():
        frame = client.receive()
        if "stream" in frame:
            screen.write(channel.unpack(frame))
            screen.flush()
    return True
