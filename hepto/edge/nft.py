"""Hands a transaction to nftables (`nft -j -f -`): all of it is in force afterwards, or none."""

import json
from typing import Any

from hepto.edge import process

NFT = "/usr/sbin/nft"


async def apply(transaction: dict[str, Any]) -> None:
    """Apply a transaction of libnftables-json(5). Raises OSError with nft's words; then nothing has changed."""
    await process.run((NFT, "-j", "-f", "-"), json.dumps(transaction).encode())


async def table(family: str, name: str) -> list[dict[str, Any]]:
    """The objects of a table as nft prints them. Raises OSError when there is no such table."""
    result = await process.run((NFT, "-j", "list", "table", family, name))
    objects: list[dict[str, Any]] = json.loads(result.stdout)["nftables"]
    return objects
