"""Which QEMU and which accelerator: found out, never guessed.

/dev/kvm says nothing: there are machines where it is there and a kernel hangs under it. So a machine is started that
has to end by itself, and the answer is remembered for this QEMU, this kernel of the host and this kernel of the
guest. `HEPTO_QEMU_ACCEL` overrides.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from hepto.edge import debian
from hepto.edge.cache import key_of
from hepto.errors import ExitCode, UserError
from hepto.lab import qemu
from hepto.lab.spec import Emulator

PROBE_LIMIT = 20.0
"""Seconds for a kernel without a root to panic; under KVM it takes about two."""
PANIC = b"Kernel panic - not syncing"
ACCELERATORS = ("kvm", "tcg")


def find(cache: Path) -> Emulator:
    """QEMU >= 10 of this machine or of the cache;

    else an older one that is there, which `trusted` tells. Raises UserError.
    """
    try:
        found = debian.ensure_qemu(cache)
    except UserError:
        own = shutil.which("qemu-system-x86_64")
        if own is None:
            raise
        return Emulator((own,), (), debian.asked_version((own,)))
    firmware = str(found.firmware) if found.firmware else ""
    return Emulator(found.argv, tuple(sorted(found.environment.items())), found.version, firmware=firmware)


def accelerate(
    emulator: Emulator,
    kernel: Path,
    cache: Path,
    environment: Mapping[str, str] | None = None,
    say: Callable[[str], object] = lambda _: None,
    device: Path = Path("/dev/kvm"),
) -> Emulator:
    """The emulator with the accelerator that works here. Raises UserError for a bad override."""
    given = os.environ if environment is None else environment
    override = given.get("HEPTO_QEMU_ACCEL", "")
    if override:
        if override not in ACCELERATORS:
            raise UserError(
                f"HEPTO_QEMU_ACCEL={override} is no accelerator", f"one of {', '.join(ACCELERATORS)}", ExitCode.USAGE
            )
        return replace(emulator, accelerator=override)
    if not os.access(device, os.R_OK | os.W_OK):
        return replace(emulator, accelerator="tcg")
    memory = cache / "accelerator" / _key(emulator, kernel)
    if memory.is_file() and (known := memory.read_text().strip()) in ACCELERATORS:
        return replace(emulator, accelerator=known)
    say(f"trying KVM (at most {PROBE_LIMIT:.0f} s, once)")
    fast = replace(emulator, accelerator="kvm")
    result = fast if works(fast, kernel) else replace(emulator, accelerator="tcg")
    memory.parent.mkdir(parents=True, exist_ok=True)
    temporary = memory.with_suffix(f".{os.getpid()}")
    temporary.write_text(result.accelerator + "\n")
    temporary.rename(memory)
    return result


def works(emulator: Emulator, kernel: Path, limit: float = PROBE_LIMIT) -> bool:
    """True if a kernel gets as far as its panic and QEMU ends by it, within the limit."""
    try:
        done = subprocess.run(
            qemu.probe_argv(emulator, kernel),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **dict(emulator.environment)},
            timeout=limit,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError):
        return False
    return done.returncode == 0 and PANIC in done.stdout


def _key(emulator: Emulator, kernel: Path) -> str:
    host = os.uname()
    return key_of(".".join(map(str, emulator.version)), host.release, host.version, kernel.read_bytes())
