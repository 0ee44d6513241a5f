"""Runs on a node for bench/orphans.py: a member's ping to the agent's own gossip port, again and again.

Called as `pinger.py CLUSTER NODE UNTIL` with the key in hex on standard input: encrypted datagrams as another member
would send them, one after the other had its answer, until the file UNTIL is there. Prints a JSON list of pairs: when it
was sent (nanoseconds of CLOCK_MONOTONIC) and after how many nanoseconds the answer came, GIVEN_UP for none.
"""

import json
import os
import select
import socket
import sys
import time

from hepto.gossip.codec import encode
from hepto.gossip.driver import Wire
from hepto.gossip.messages import Ack, Ping
from hepto.values import Secret

PORT = 7946
PAUSE = 0.02
GIVEN_UP = 5_000_000_000


def main(cluster: str, node: str, until: str) -> None:
    """Until it is told to end."""
    envelope = Wire(cluster.encode(), (Secret(bytes.fromhex(sys.stdin.read())),)).envelope()
    link = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    link.connect(("::1", PORT))
    found, sequence = [], 0
    while not os.path.exists(until):  # noqa: PTH110 - as short as can be
        sequence += 1
        sent = time.monotonic_ns()
        link.send(envelope.seal((encode(Ping(sequence, node.encode())),)))
        took = GIVEN_UP
        while (left := sent + GIVEN_UP - time.monotonic_ns()) > 0:
            if not select.select([link], [], [], left / 1e9)[0]:
                break
            if Ack(sequence) in envelope.open(link.recv(65536)).messages:
                took = time.monotonic_ns() - sent
                break
        found.append((sent, took))
        select.select([], [], [], PAUSE)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
