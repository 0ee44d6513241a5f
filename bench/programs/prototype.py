"""PID 1 of the baseline of bench/ready.py: starts the whole stack at once and what ends again after two seconds.

The order of starting is the only subject: mounts, modules and variables one shell after the other, then all processes
together, no readiness, one look a second. Flags, files and environment come ready from the host (prototype.json), and
so do the certificates, on the data disk. Standard library only; it runs where hepto's own PID 1 is.
"""

import base64
import http.client
import json
import os
import re
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

PLAN = "/usr/lib/hepto/prototype.json"
RESPAWN_SECONDS = 2.0
LOOK_SECONDS = 1.0
IMAGES_SECONDS = 15.0
CONTAINERD = "/run/containerd/containerd.sock"
LOGS = "/run/log"
BECAME_READY = re.compile(r"^I\d{4} (\d\d):(\d\d):(\d\d\.\d+) .*just became ready", re.MULTILINE)


def say(text: str) -> None:
    """One line on the console with the guest's clock."""
    os.write(1, f"up={time.clock_gettime(time.CLOCK_BOOTTIME):.3f} {text}\n".encode())


def shell(command: str) -> None:
    """As the prototype does everything."""
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        say(f"{command}: {done.stdout.decode(errors='replace').strip()[-300:]}")


def prepare(plan: dict[str, Any]) -> None:
    """File systems, modules, variables, network, files."""
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    for command in plan["commands"]:
        shell(command)
    for path, mode in plan["directories"]:
        Path(path).mkdir(mode, parents=True, exist_ok=True)
    for path, mode, content in plan["files"]:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64decode(content))


def start(name: str, service: dict[str, Any]) -> "subprocess.Popen[bytes]":
    """A process of the stack, its output in a file."""
    say(f"start {name}")
    with Path(f"{LOGS}/{name}.log").open("ab") as log:
        return subprocess.Popen(service["argv"], stdout=log, stderr=log, env=service["env"], start_new_session=True)


class Api:
    """Asks the apiserver for the Node object, with the kubelet's certificate."""

    def __init__(self, probe: dict[str, str]) -> None:
        self._probe = probe
        self._context = ssl.create_default_context(cafile=probe["authority"])
        self._context.load_cert_chain(probe["pair"])

    def node_is_ready(self) -> bool:
        """False also when nobody answers."""
        connection = http.client.HTTPSConnection(self._probe["host"], int(self._probe["port"]), context=self._context)
        try:
            connection.request("GET", self._probe["path"])
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        conditions = json.loads(body)["status"].get("conditions", []) if answer.status == http.client.OK else []
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def since_boot(match: "re.Match[str]") -> float:
    """The guest's clock at a line of kubelet's log, which has the time of day in UTC."""
    at = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
    return (at - (time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)) % 86400) % 86400


def main() -> None:
    """Until the power goes."""
    plan = json.loads(Path(PLAN).read_bytes())
    prepare(plan)
    began = time.monotonic()
    running = {name: start(name, service) for name, service in plan["services"].items()}
    api = Api(plan["probe"])
    imported = ready = False
    while True:
        time.sleep(LOOK_SECONDS)
        for name, process in list(running.items()):
            if process.poll() is not None:
                last = Path(f"{LOGS}/{name}.log").read_text(errors="replace").strip().rpartition("\n")[2]
                say(f"exit {name} {process.returncode}: {last[-300:]}")
                time.sleep(RESPAWN_SECONDS)
                running[name] = start(name, plan["services"][name])
        if not imported and time.monotonic() - began > IMAGES_SECONDS and Path(CONTAINERD).exists():
            imported = True
            subprocess.Popen(plan["images"]["argv"], env=plan["images"]["env"], stdout=subprocess.DEVNULL)
        if not ready and api.node_is_ready():
            ready = True
            say("node ready")
            match = BECAME_READY.search(Path(f"{LOGS}/kubelet.log").read_text(errors="replace"))
            say(f"kubelet={since_boot(match) if match else -1:.3f}")


if __name__ == "__main__":
    try:
        main()
    except BaseException as error:
        say(f"the baseline has failed: {error!r}")
        time.sleep(1000)
        raise
