"""Makes a node of the namespaces that PID 1 of a test is about to run in: `agent_machine.py COMMAND… ROOT CGROUPS`.

Mounts, a command line, a key, a router in a network namespace of its own; and in the places of Kubernetes' programs are
some that only say that they are ready. Then it executes the command: PID 1, with the control groups where they are now.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent.parent
sys.path.insert(0, str(REPOSITORY))

from init.contract import paths  # noqa: E402
from tests.kernel.machine import cgroup2  # noqa: E402
from tests.kernel.net.world import EMPTY, namespace  # noqa: E402

LINE = "hepto.cluster=demo hepto.name=one hepto.iface=u0"
BUILT = 1_700_000_000
LIBRARY = os.path.dirname(paths.STACK)
GROUPS = "/run/cgroups"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "containerd", "kubelet")
STUB = f"""#!{sys.executable} -IS
import os, socket, time
if "NOTIFY_SOCKET" in os.environ:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.connect(os.environ["NOTIFY_SOCKET"])
    sock.send(b"READY=1")
time.sleep(1000)
"""


def main() -> None:
    *command, root, group = sys.argv[1:]
    tree = cgroup2()
    os.makedirs(LIBRARY, exist_ok=True)
    for path in ("/run", LIBRARY):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
    os.mkdir(GROUPS)
    subprocess.run(["mount", "--bind", tree, GROUPS], check=True)
    for path in EMPTY:
        if path != "/run":
            os.makedirs(path, exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
    os.makedirs(root + paths.RUN, exist_ok=True)
    os.mkdir(paths.RUN)
    subprocess.run(["mount", "--bind", root + paths.RUN, paths.RUN], check=True)
    Path("/run/cmdline").write_text(LINE)
    subprocess.run(["mount", "--bind", "/run/cmdline", "/proc/cmdline"], check=True)
    (credentials := Path(paths.CREDENTIALS, "smbios")).mkdir(parents=True)
    (credentials / "hepto.key").write_text("00" * 16)
    Path(paths.IMAGE).write_text(json.dumps({"version": "1", "built": BUILT}))
    Path(paths.STACK).mkdir()
    for name in (*PROGRAMS, "kube-proxy", "coredns"):
        Path(paths.STACK, name).write_text(STUB)
        Path(paths.STACK, name).chmod(0o755)
    Path(paths.STACK, "ctr").symlink_to("/bin/true")
    namespace("router", "u0", "eth0", "fe80::1/64")
    os.execv(command[0], [*command, root, GROUPS + group.removeprefix(str(tree))])


if __name__ == "__main__":
    main()
