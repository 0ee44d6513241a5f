"""P1: guest time from power-on to a node that could gossip, hepto against systemd and busybox init.

The milestone, the same for all roots: PID 1 runs, the data disk is checked and mounted at /var/lib/hepto, an IPv6
address of global scope from a router's advertisement has passed duplicate address detection, the default route is
there, and a UDP socket is bound. For the baselines a C program waits for exactly that and binds port 7946
(programs/milestone.c). hepto has no gossip yet: its milestone is the agent's line "ready:" with hepto.debug=no-kube,
which means the same and more (firewall loaded, wg0 up with its UDP socket, chrony started).

All boot the same kernel, stage 0, modules, devices and data disk, with `-icount shift=0`: one processor whose clock is
the number of instructions executed, so a loaded machine changes nothing. `sleep=on`, for with `sleep=off` the guest's
clock runs away, by as much as a second, while the host's router is answering. The kernel waits at random for up to two
seconds in duplicate address detection and before it solicits, so `busy` (the clock less the processor's idle time) says
what software costs: it agrees within a few percent, where the milestone does not.

The clock begins with the kernel's; firmware and decompression of the kernel, the same for all, are not in it.
"""

import argparse
import tempfile
from pathlib import Path

from bench import guest, report, roots
from bench.report import Row, Target
from hepto.edge.cache import cache_directory
from hepto.lab.boot import check_image

ICOUNT = "shift=0,sleep=on"
DISK_MEBIBYTES = 512
LIMIT_SECONDS = 400.0
MILESTONE = {
    "hepto": r"up=(\S+) idle=(\S+) ready: ",
    **dict.fromkeys(("busybox", "systemd-stripped", "systemd"), r"milestone up=(\S+) idle=(\S+)"),
}
OPTIONS = {"hepto": ("hepto.cluster=bench", "hepto.name=one", "hepto.role=full", "hepto.debug=no-kube")}
TARGETS = (
    Target("milestone", "hepto", "systemd", 1.25),
    Target("milestone", "hepto", "systemd-stripped", 1.25),
    Target("milestone", "hepto", "busybox", 1.15),
    Target("busy", "hepto", "systemd", 1.25),
    Target("busy", "hepto", "systemd-stripped", 1.25),
    Target("busy", "hepto", "busybox", 1.15),
)


def measure(variant: str, image: Path, disk: str) -> list[Row]:
    """One boot."""
    machine = guest.Machine(
        image,
        OPTIONS.get(variant, ()),
        (("hepto.key", "00" * 32),) if variant == "hepto" else (),
        memory=1024,
        cpus=1,
        disk=DISK_MEBIBYTES,
        disk_from=disk,
        icount=ICOUNT,
    )
    with guest.boot(variant, machine, guest.find_emulator(image)) as running:
        found, _ = running.wait(MILESTONE[variant], LIMIT_SECONDS)
    up, idle = float(found[1]), float(found[2])
    return [Row(variant, "milestone", up, "s"), Row(variant, "busy", up - idle, "s")]


def main(arguments: list[str]) -> int:
    """Interleaved boots of all roots."""
    parser = argparse.ArgumentParser(prog="bench.boot")
    parser.add_argument("--image", type=Path, default=guest.DEFAULT_IMAGE)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args(arguments)
    image = check_image(given.image)
    sources = roots.Given(image, cache_directory())
    images = {variant: roots.image(sources, variant) for variant in MILESTONE}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        disk = guest.data_disk(Path(directory) / "data.raw", DISK_MEBIBYTES)
        for run in range(1, given.runs + 1):
            for variant in MILESTONE:
                rows += measure(variant, images[variant], disk)
                print(f"run {run}: {variant:18} {rows[-2].value:7.2f} s, busy {rows[-1].value:7.2f} s", flush=True)
                report.save("boot", rows)
    report.finish("boot", rows, TARGETS)
    return 0


if __name__ == "__main__":
    report.run(main)
