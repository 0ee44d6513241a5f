"""A member of a cluster of kinship (PyPI) for bench/gossip_detection.py, as its documentation shows, with its defaults.

Called as `kinship_member.py PACKAGES NAME ENDPOINT KEY META SEED`. Prints a line of JSON for each event it reads.
"""

import asyncio
import json
import sys


async def main(packages: str, name: str, endpoint: str, key: str, meta: str, seed: str) -> None:
    """Join and tell, for ever."""
    sys.path.insert(0, packages)
    import kinship  # type: ignore[import-not-found]  # installed by the benchmark, into its own directory

    config = kinship.Config.lan(
        name=name, bind=endpoint, keys=[key], meta={"m": meta}, seeds=[seed], cluster="bench", event_buffer=4096
    )
    async with kinship.Cluster(config) as cluster:
        events = cluster.events()
        for member in cluster.members():  # those that the join itself has brought
            print(json.dumps({"event": "MemberJoined", "name": member.name}), flush=True)
        async for event in events:
            print(json.dumps({"event": type(event).__name__, "name": event.member.name}), flush=True)


asyncio.run(main(*sys.argv[1:]))
