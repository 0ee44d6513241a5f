"""Which boot this is. Alone in its module: the logger, which is to stay small, needs no more of a boot."""

PATH = "/proc/sys/kernel/random/boot_id"


def boot_id() -> str:
    """The kernel's identifier of this boot; "" where there is none."""
    try:
        with open(PATH, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
