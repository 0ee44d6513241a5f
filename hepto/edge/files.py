"""Directories and files of the agent: reading what may be absent, making directories with a mode."""

import contextlib
import os

MODE_DIRECTORY = 0o700


def read(path: str, most: int = 1 << 20) -> bytes | None:
    """The content, None when there is no such file. Raises OSError on anything else, and on more than `most` bytes."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - paths are texts all through the contract
            data = file.read(most + 1)
    except FileNotFoundError:
        return None
    if len(data) > most:
        raise OSError(f"{path}: larger than {most} bytes")
    return data


def make_directory(path: str, mode: int = MODE_DIRECTORY) -> None:
    """Make the directory and those above it; the last one gets exactly `mode`, whatever it had."""
    os.makedirs(path, exist_ok=True)  # noqa: PTH103
    os.chmod(path, mode)  # noqa: PTH101


def names(path: str) -> tuple[str, ...]:
    """The names in a directory, sorted; none when there is no such directory."""
    with contextlib.suppress(FileNotFoundError):
        return tuple(sorted(os.listdir(path)))  # noqa: PTH208
    return ()
