"""Names of hosts and their IPv6 addresses, by the machine's resolver.

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


async def addresses(host: str) -> tuple[IPv6Address, ...]:
    """The addresses of a name, or the address itself; none if there is no answer in time."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[IPv6Address, ...]] = loop.create_future()

    def tell(found: tuple[IPv6Address, ...]) -> None:
        if not answer.done():
            answer.set_result(found)

    def look_up() -> None:
        found = _look_up(host)
        with contextlib.suppress(RuntimeError):  # the loop has ended in the meantime
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            return await answer
    return ()


def _look_up(host: str) -> tuple[IPv6Address, ...]:
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET6, socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: no host name at all
        return ()
    return tuple(dict.fromkeys(IPv6Address(str(place[0]).partition("%")[0]) for *_, place in found))
