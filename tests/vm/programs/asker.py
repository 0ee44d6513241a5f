"""Asks one URL until it is killed, each time over a new connection, and keeps in a file what became of it.

Called on a node as `asker.py OUTPUT URL AUTHORITY PAIR`, the last two files of PEM. OUTPUT has a JSON object: how many
were `asked`, and of each that was `lost` when it was and why.
"""

import http.client
import json
import os
import select
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from hepto.edge.http import client_context

SECONDS = 60.0
"""That an answer may take: an emulated node may be busy, and what is late is not lost."""
PAUSE = 3.0
"""Seconds between two: the machine has other things to do."""


def ask(url: str, authority: str, pair: str) -> None:
    """Raises OSError or HTTPException when there is no answer, or no good one."""
    parts = urlsplit(url)
    # The pair is read at once: the library opens such a file once for each half, and it may be replaced in between.
    tls = client_context(authority, pem=Path(pair).read_bytes())
    line = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=SECONDS, context=tls)
    try:
        line.request("GET", parts.path)
        answer = line.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise OSError(f"the answer is {answer.status}")
    finally:
        line.close()


def main(output: str, url: str, authority: str, pair: str) -> None:
    """For ever."""
    asked, lost = 0, []
    while True:
        begin = time.time()
        try:
            ask(url, authority, pair)
        except (OSError, http.client.HTTPException) as error:
            lost.append([begin, f"{type(error).__name__}: {error}"])
        asked += 1
        Path(f"{output}.new").write_text(json.dumps({"asked": asked, "lost": lost}))
        os.replace(f"{output}.new", output)
        select.select([], [], [], PAUSE)


if __name__ == "__main__":
    main(*sys.argv[1:])
