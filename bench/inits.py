"""The inits that bench/supervision.py and bench/orphans.py put to the same trial, each PID 1 of the same kernel.

    hepto             the image as it was built, without Kubernetes: its agent and logger run beside
    systemd           as Debian installs it
    systemd-stripped  with the fewest units (bench/roots.py)
    busybox           busybox init
    s6                s6-svscan, and s6-supervise for each service: Debian's package

All run programs/trial.c, and all but the trial of orphans need programs/served.c, a service that each init starts again
without a pause: Restart(reset=1) of hepto, whose first restart after a second up comes at once; RestartSec=0 without a
limit of starts of systemd; busybox and s6 as they are. Guest time is instructions (bench/boot.py), on one processor.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import guest, roots
from bench.boot import DISK_MEBIBYTES, ICOUNT
from init.contract.service import Restart, Service

HEPTO = "hepto"
OPTIONS = ("hepto.cluster=bench", "hepto.name=one", "hepto.role=full", "hepto.debug=no-kube,lab")
LIMIT_SECONDS = 7200.0
READY, OVER = r"ready: node ", r"^trial over"
RESULT = re.compile(r"^trial ([a-z]+) (-?\d+)", re.MULTILINE)
MEMORY = 1024
PROGRAMS = ("served", "trial")
SERVED, TRIAL = "/usr/bin/served", "/usr/bin/trial"
SERVICES = "etc/s6"

BUSYBOX = f"{roots.BUSYBOX['etc/inittab']}::respawn:{SERVED}\n::once:{TRIAL}\n"
UNIT_FOLDER = "etc/systemd/system"
STAGE_1 = f"""\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin
/etc/rcS
cp -a /{SERVICES} /run/service
exec s6-svscan /run/service
"""


def compile_programs(root: Path) -> None:
    """Ours, into a root."""
    for name in PROGRAMS:
        roots.compile_program(name, root / f"usr/bin/{name}")


def hepto_root(given: roots.Given, root: Path) -> None:
    """The image's own and our two programs."""
    roots.extract(given, root)
    compile_programs(root)


def busybox_root(given: roots.Given, root: Path) -> None:
    """Two lines more in inittab."""
    roots.busybox_root(given, root)
    roots.put(root, {"etc/inittab": BUSYBOX})
    compile_programs(root)


def units(more: str = "") -> dict[str, str]:
    """Both units by their names; `more` is for their [Unit] sections."""
    return {
        "served.service": f"""\
[Unit]
StartLimitIntervalSec=0
{more}[Service]
ExecStart={SERVED}
Restart=always
RestartSec=0
""",
        "trial.service": f"""\
[Unit]
{more}[Service]
ExecStart={TRIAL}
TasksMax=infinity
""",
    }


def stripped_root(given: roots.Given, root: Path) -> None:
    """Two units more, like its others."""
    roots.stripped_root(given, root)
    target, own = f"{UNIT_FOLDER}/bench.target", units("DefaultDependencies=no\n")
    wants = f"{roots.STRIPPED[target].rstrip()} {' '.join(own)}\n"
    roots.put(root, {target: wants, **{f"{UNIT_FOLDER}/{name}": text for name, text in own.items()}})
    compile_programs(root)


def whole_root(given: roots.Given, root: Path) -> None:
    """Two units more."""
    roots.whole_root(given, root)
    for name, text in units().items():
        roots.put(root, {f"{UNIT_FOLDER}/{name}": text})
        (root / UNIT_FOLDER / "multi-user.target.wants" / name).symlink_to(f"/{UNIT_FOLDER}/{name}")
    compile_programs(root)


def s6_root(given: roots.Given, root: Path) -> None:
    """Debian's packages and hepto's modules as for systemd; a service is its program, with no shell in between."""
    roots.systemd_root(given, root)
    roots.put(root, {"etc/rcS": roots.RCS, "etc/stage1": STAGE_1})
    for program in ("milestone", *PROGRAMS):
        run = root / SERVICES / program / "run"
        run.parent.mkdir(parents=True)
        run.symlink_to(f"/usr/bin/{program}")
    compile_programs(root)
    roots.programs(root, "/etc/stage1")


MAKERS: Mapping[str, roots.Maker] = {
    HEPTO: hepto_root,
    "systemd": whole_root,
    "systemd-stripped": stripped_root,
    "busybox": busybox_root,
    "s6": s6_root,
}


def image(given: roots.Given, variant: str) -> Path:
    """A directory that the lab can boot."""
    return roots.bootable(given, f"trial-{variant}", MAKERS[variant], Path(__file__), from_image=variant == HEPTO)


def machine(variant: str, root: Path, disk: str, words: tuple[str, ...]) -> guest.Machine:
    """One to put to the trial that `words` name. hepto's is told by `begin` instead."""
    ours = variant == HEPTO
    return guest.Machine(
        root,
        OPTIONS if ours else (f"bench.trial={':'.join(words)}",),
        (("hepto.key", "00" * 32),) if ours else (),
        memory=MEMORY,
        cpus=1,
        disk=DISK_MEBIBYTES,
        disk_from=disk,
        icount=ICOUNT,
    )


def begin(running: guest.Guest, words: tuple[str, ...], name: str = "trial") -> None:
    """Let hepto's PID 1 run the service and the trial, when the node has come to rest."""
    running.wait(READY, LIMIT_SECONDS)
    with running.client() as connection:
        guest.give(connection, guest.NODE, "served", Service((SERVED,), restart=Restart(reset=1.0)))
        guest.give(connection, guest.NODE, name, Service((TRIAL, *words)))


def results(said: str) -> list[tuple[str, int]]:
    """What a trial has said on the console: names and nanoseconds."""
    return [(what, int(value)) for what, value in RESULT.findall(said.replace("\r", ""))]


def measure(variant: str, root: Path, disk: str, words: tuple[str, ...]) -> list[tuple[str, int]]:
    """One boot and one trial. Raises UserError."""
    return observe(variant, root, disk, words, lambda _: None)


def observe(
    variant: str, root: Path, disk: str, words: tuple[str, ...], after: Callable[[guest.Guest], None]
) -> list[tuple[str, int]]:
    """The same; `after` is called while the machine still runs, and what it adds to the console counts too."""
    with guest.boot(variant, machine(variant, root, disk, words), guest.find_emulator(root)) as running:
        if variant == HEPTO:
            begin(running, words)
        running.wait(OVER, LIMIT_SECONDS)
        after(running)
        return results(running.console())
