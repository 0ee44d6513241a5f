"""Stands in for QEMU: takes the same arguments and speaks on the same descriptors, but is a machine of a few lines.

Its "node" greets on the lab channel, runs no program (`exec` gives back what it was asked), and obeys the power
buttons. A node that is asked to exec `hang` never answers; `die` ends the machine with status 3.
"""

import json
import re
import select
import socket
import sys

from hepto.lab import channel


def descriptor(name: str) -> socket.socket:
    """The socket that a -chardev names."""
    for word in sys.argv:
        match = re.match(rf"socket,id={name},fd=(\d+)", word)
        if match:
            return socket.socket(fileno=int(match[1]))
    raise SystemExit(f"no chardev {name}")


class FakeMachine:
    """Console, machine protocol and channel of one machine."""

    def __init__(self) -> None:
        self.console = descriptor("console")
        self.log = next(match[1] for word in sys.argv if (match := re.search(r"logfile=([^,]+)", word)))
        self.qmp = descriptor("qmp")
        self.channel = descriptor("channel")
        self.requests = channel.Decoder()

    def event(self, name: str, **data: object) -> None:
        self.qmp.sendall(json.dumps({"event": name, "data": data}).encode() + b"\n")

    def print(self, data: bytes) -> None:
        """Say something on the console, which goes to its log as well."""
        with open(self.log, "ab") as log:
            log.write(data)
        self.console.sendall(data)

    def boot(self) -> None:
        self.print(f"booted {sys.argv[sys.argv.index('-uuid') + 1]}\r\n".encode())
        if "-rtc" in sys.argv:
            self.print(f"clock {sys.argv[sys.argv.index('-rtc') + 1]}\r\n".encode())
        self.requests = channel.Decoder()
        self.channel.sendall(channel.encode({"hello": 1}))

    def run(self) -> None:
        self.qmp.sendall(b'{"QMP": {"version": {"qemu": {"major": 10, "minor": 0}}}}\n')
        self.boot()
        while True:
            for ready in select.select([self.console, self.qmp, self.channel], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                if ready is self.console:
                    self.print(b"you typed " + data)
                elif ready is self.qmp:
                    for line in data.splitlines():
                        self.obey(**json.loads(line))
                else:
                    for frame in self.requests.feed(data):
                        self.answer(frame)

    def obey(self, execute: str, arguments: dict[str, object] | None = None, **_: object) -> None:
        order = execute
        if order == "set_link" and arguments:
            self.print(f"cable {arguments['name']} {'in' if arguments['up'] else 'out'}\r\n".encode())
        elif order.startswith("blockdev-") and arguments:
            self.print(f"{order} {json.dumps(arguments)}\r\n".encode())
        elif order == "system_reset":
            self.event("RESET", reason="host-qmp-system-reset")
            self.event("RESET", reason="host-qmp-system-reset")
            self.boot()
        elif order == "system_powerdown":
            self.print(b"power button\r\n")
            self.event("SHUTDOWN", reason="guest-shutdown")
            raise SystemExit(0)

    def answer(self, frame: channel.Frame) -> None:
        number, argv = frame["id"], frame.get("argv", [])
        if frame["verb"] != "exec":
            self.say({"id": number, "error": f"no such verb: {frame['verb']}"})
        elif argv[0] == "die":
            raise SystemExit("the machine broke")
        elif argv[0] != "hang":
            self.say({"id": number, "stream": "stdout", "data": channel.pack(" ".join(argv).encode())})
            self.say({"id": number, "stream": "stderr", "data": frame["stdin"] or ""})
            self.say({"id": number, "exit": len(argv)})

    def say(self, frame: channel.Frame) -> None:
        self.channel.sendall(channel.encode(frame))


if __name__ == "__main__":
    FakeMachine().run()
