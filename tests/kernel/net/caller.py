"""Asks the node at ADDRESS for its time, whoever that is, and prints the answer or why there is none."""

import asyncio
import sys
from ipaddress import IPv6Address

from hepto.api import routes
from hepto.api.client import Candidate, open_stream
from hepto.api.exchange import Caller, CallError
from tests.api.example import membership

API_PORT = 7947


async def ask(address: IPv6Address) -> str:
    try:
        async with asyncio.timeout(10), open_stream(Candidate(address, API_PORT), None, membership()) as stream:
            status, body = await Caller(stream).post(routes.TIME, b"")
            return f"{status} {body.decode()}"
    except CallError as error:
        return error.failure.value


if __name__ == "__main__":
    print(asyncio.run(ask(IPv6Address(sys.argv[1]))))
