"""The boot as data: which phases there are, in which order, and the tasks they name (design: boot.md section 1).

`BOOT` is the whole order of a machine, `CONTAINER` that of a container on somebody else's (`hepto start`), which has
been given its root, /dev, /run with the credentials, and the data directory. Logger and agent are
started as soon as there are file systems and control groups, so that the agent's imports overlap with module loading
and the data disk; it finds in boot.json when `credentials` and `data` are done. Tasks only translate: what they do is
in the module of its name, imported when its turn comes, since the agent's start waits for what is imported here.
"""

import contextlib

from init import modules, mounts, sysctls
from init.boot import Phase, Run, Task, TaskFunction, Wait, World
from init.cmdline import parse
from init.contract import paths
from init.contract.service import Limits, Restart, Service, Stop

BOOT: tuple[Phase, ...] = (
    Phase("mounts", "mounts"),
    Phase("keys", "keys", again=True),
    Phase("services", "services", again=True),
    Phase("sysctls", "sysctls"),
    Phase("hotplug", "hotplug", background=True),
    Phase("damage", "damage", background=True),
    Phase("modules", "modules"),
    Phase("preload", "preload", background=True),
    Phase("volumes", "volumes"),
    Phase("credentials", "credentials"),
    Phase("data", "data", after=("mounts",)),
    Phase("seed", "seed", after=("data",), background=True),
)  # fmt: skip

CONTAINER: tuple[Phase, ...] = (
    Phase("mounts", "mounts-contained"),
    Phase("services", "services", again=True),
    Phase("data", "data-given", after=("mounts",)),
)
"""No keys: /proc/cmdline is the host's."""

MODPROBE_TIME = 120.0
INSTALL = "install"
"""`init.install`, a word of the command line of an installation medium."""
LOADING = "loading modules"
"""Key of World.state: modules of new devices are being loaded, and more disks may come."""
LONG = 3600.0
"""Between two needless looks of a task that only uevents wake."""


MIB = 1024 * 1024


def built_in(debug: frozenset[str], terminals: tuple[str, ...] = ()) -> dict[str, Service]:
    """The services that have no file: they read and write the files, or are what a person reaches the node by.

    With `terminals` it is an installation medium: a shell on each, and no node.
    """
    program = (paths.PYTHON, "-I", "-S", paths.PROGRAM)
    restart = Restart(cap=1.0)
    services = {
        "logger": Service(
            (*program, "logger"),
            oom_score_adj=-999,
            stop=Stop(timeout=5.0),
            restart=restart,
            limits=Limits(memory_min=16 * MIB),
        ),
        "agent": Service(
            (paths.PYTHON, "-I", "-m", "hepto", "agent"),
            oom_score_adj=-999,
            restart=restart,
            limits=Limits(memory_min=48 * MIB, nofile=65536),
        ),
    }
    if terminals:
        del services["agent"]
    for terminal in terminals:
        services[f"shell-{terminal.lower()}"] = Service((*program, "shell", terminal), restart=restart)
    if "lab" in debug:
        services["lab"] = Service((*program, "lab"), oom_score_adj=-999, restart=restart)
    return services


def mount_all(world: World) -> Task:
    """Pseudo file systems, links, directories."""
    for failure in mounts.perform(mounts.OPERATIONS, world.root):
        world.log(failure)
    yield from ()


def mount_contained(world: World) -> Task:
    """The same for a container: nothing that is the whole machine's."""
    for failure in mounts.perform(mounts.CONTAINER, world.root):
        world.log(failure)
    yield from ()


def keys(world: World) -> Task:
    """PID 1's own keys: the image's, outranked by those of the kernel command line."""
    words = b""
    with contextlib.suppress(FileNotFoundError), open(world.path(paths.IMAGE_WORDS), "rb") as file:
        words = file.read() + b" "
    with open(world.path("/proc/cmdline"), "rb") as file:
        world.keys = parse(words + file.read())
    yield from ()


def services(world: World) -> Task:
    """Logger, agent and, when ordered, the lab's channel; on an installation medium shells instead of the agent."""
    terminals: tuple[str, ...] = ()
    if INSTALL in world.keys.init:
        from init import shell

        terminals = shell.terminals(world.root)
    for name, service in built_in(world.keys.debug, terminals).items():
        world.add_service(name, service)
    yield from ()


def set_sysctls(world: World) -> Task:
    """Machine-wide sysctls."""
    for refusal in sysctls.apply(root=world.root):
        world.log(f"sysctl {refusal}")
    yield from ()


def hotplug(world: World) -> Task:
    """Modules of devices that come, for ever. Started before the walk, so that none falls between."""
    while True:
        woken = yield Wait(LONG, uevent=True)
        wanted = modules.aliases(world.root) if woken.lost else modules.aliases_of(woken.events)
        if wanted and modules.available(world.root):
            world.state[LOADING] = True
            yield Run(argv=modules.command(wanted), timeout=MODPROBE_TIME)
            world.state[LOADING] = False


def watch_root(world: World) -> Task:
    """The verified root, for ever."""
    from init import damage

    yield from damage.task(world)


def load_modules(world: World) -> Task:
    """Modules of the devices that are there. A module that fails is the kernel's message, not the boot's failure."""
    yield Wait(0.0)  # the loop starts logger and agent now; looking for devices takes a while
    if modules.available(world.root):
        named = modules.ordered(world.keys.init.get("modules", ""))
        wanted = (*modules.EARLY, *named, *modules.aliases(world.root))
        yield Run(argv=modules.command(wanted), timeout=MODPROBE_TIME)


def preload(world: World) -> Task:
    """Modules that the services are going to need, beside the phases that follow."""
    if modules.available(world.root):
        yield Run(argv=modules.command(modules.SOON), timeout=MODPROBE_TIME)
        yield Run(call=modules.load_later, timeout=MODPROBE_TIME)
    while True:  # a background task has no end
        yield Wait(LONG)


def take_credentials(world: World) -> Task:
    """SMBIOS and fw_cfg to /run/credentials. Firmware that cannot be read is said; the options that lack are the
    agent's."""
    from init import credentials

    for source, read in (("smbios", credentials.read_smbios), ("fw_cfg", credentials.read_fw_cfg)):
        found = read(world.root)
        for mistake in found.mistakes:
            world.log(mistake)
        if found.credentials:
            credentials.write(source, found.credentials, world.root)
            world.log(f"{source}: credentials {', '.join(credential.name for credential in found.credentials)}")
    yield from ()


def find_volumes(world: World) -> Task:
    """The ESP, and volumes with configuration."""
    from init import volumes

    yield from volumes.task(world)


def find_data(world: World) -> Task:
    """The data disk."""
    from init import datadisk

    yield from datadisk.task(world, lambda: bool(world.state.get(LOADING)))


def data_given(world: World) -> Task:
    """The data directory is there; it is on a disk of the host's, as far as we know."""
    world.state["data"] = "disk"
    yield from ()


def random_seed(world: World) -> Task:
    """Mix in the seed of the boot before; on a disk only, since memory has none. No service waits for it."""
    if world.state.get("data") == "disk":
        yield Run(call=_stir, timeout=60.0)
    while True:
        yield Wait(LONG)


def _stir() -> None:
    from init import seed

    seed.stir()


TASKS: dict[str, TaskFunction] = {
    "mounts": mount_all,
    "mounts-contained": mount_contained,
    "keys": keys,
    "services": services,
    "sysctls": set_sysctls,
    "hotplug": hotplug,
    "damage": watch_root,
    "modules": load_modules,
    "volumes": find_volumes,
    "credentials": take_credentials,
    "data": find_data,
    "data-given": data_given,
    "seed": random_seed,
    "preload": preload,
}
