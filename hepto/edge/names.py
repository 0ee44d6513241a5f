"""Names of hosts and their addresses, by the machine's resolver.

In a thread of its own for each: getaddrinfo may take half a minute and cannot be stopped, and nobody waits for it, not
even the end of the process.
"""

import asyncio
import contextlib
import socket
import threading
from ipaddress import IPv6Address
from typing import Final

SECONDS: Final = 5.0


async def addresses(host: str, seconds: float = SECONDS) -> tuple[IPv6Address, ...]:
    """The IPv6 addresses of a name, or the address itself; none if there is no answer in time."""
    return tuple(map(IPv6Address, await look_up(host, socket.AF_INET6, seconds) or ()))


async def look_up(host: str, family: socket.AddressFamily, seconds: float) -> tuple[str, ...] | None:
    """The addresses of one family, each once and without its zone; None if no resolver answers in time."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[str, ...] | None] = loop.create_future()

    def tell(found: tuple[str, ...] | None) -> None:
        if not answer.done():
            answer.set_result(found)

    def ask() -> None:
        found = _ask(host, family)
        with contextlib.suppress(RuntimeError):  # the loop has ended in the meantime
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await answer
    return None


def _ask(host: str, family: socket.AddressFamily) -> tuple[str, ...] | None:
    try:
        found = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)
    except socket.gaierror as error:
        return None if error.errno == socket.EAI_AGAIN else ()
    except (OSError, UnicodeError):  # UnicodeError: no host name at all
        return ()
    return tuple(dict.fromkeys(str(place[0]).partition("%")[0] for *_, place in found))
