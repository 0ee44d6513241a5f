"""The way from the host's [::1] into another network namespace, where something listens on its own [::1]."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from hepto.host import relay

pytestmark = pytest.mark.kernel

PORT = 16443
SERVER = """
import socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = socket.create_server(("::1", int(sys.argv[1])), family=socket.AF_INET6)
print(flush=True)
while True:
    line, _ = server.accept()
    said = b""
    while data := line.recv(65536):
        said += data
    line.sendall(said[::-1])
    line.close()
"""


@pytest.fixture
def network() -> Iterator[int]:
    """A network namespace whose server gives back what it was told, from its end to its beginning."""
    words = ["unshare", "--net", sys.executable, "-c", SERVER, str(PORT)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        descriptor = os.open(f"/proc/{process.pid}/ns/net", os.O_RDONLY)
        yield descriptor
        os.close(descriptor)
        process.kill()


async def ask(port: int, said: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(relay.LOOPBACK, port)
    writer.write(said)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def answers(network: int) -> tuple[int, list[bytes], bytes]:
    """The port, what comes back through a relay with a namespace, and what without one."""
    with relay.listen(PORT) as listener:
        port = int(listener.getsockname()[1])
        passing = relay.Relay(listener, PORT)
        task = asyncio.create_task(passing.run())
        passing.lead_to(network)
        large = bytes(range(256)) * 4096
        several = list(await asyncio.gather(ask(port, b"abc"), ask(port, large)))
        assert several.pop() == large[::-1]
        passing.lead_to(-1)
        nothing = await ask(port, b"")
        task.cancel()
        return port, several, nothing


def test_bytes_go_both_ways_and_nowhere_without_a_node(network: int) -> None:
    port, answered, nothing = asyncio.run(answers(network))

    assert port >= PORT
    assert answered == [b"cba"]
    assert nothing == b""


def test_this_process_stays_where_it_was(network: int) -> None:
    before = os.readlink("/proc/self/ns/net")

    asyncio.run(answers(network))

    assert os.readlink("/proc/self/ns/net") == before


def test_the_first_port_that_is_free_is_taken() -> None:
    with closing(socket.create_server((relay.LOOPBACK, 0), family=socket.AF_INET6)) as taken:
        port = taken.getsockname()[1]

        with relay.listen(port, 2) as listener:
            assert listener.getsockname()[1] == port + 1
        with pytest.raises(OSError, match="in use"):
            relay.listen(port, 1)
