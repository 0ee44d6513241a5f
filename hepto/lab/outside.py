"""The host behind the router: an HTTP server in a network namespace of its own that answers with the address it sees.

Started by the holder as `unshare --net python -m hepto.lab.outside`; it waits for a line on its standard input (its
link is there), sets itself up, and says "ready".
"""

import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hepto.lab import network

PORT = 80


class AddressHandler(BaseHTTPRequestHandler):
    """Tells a client its own address, as this host sees it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802  http.server calls it so
        """Any path."""
        body = f"{self.client_address[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


def main() -> int:
    """Serve until the lab ends."""
    print("here", flush=True)
    if not sys.stdin.readline():
        return 1
    network.join_outside()
    with Server(("::", PORT), AddressHandler) as server:
        print("ready", flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
