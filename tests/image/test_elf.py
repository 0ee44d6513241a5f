import shutil
import sys
from pathlib import Path

from image.elf import closure, is_elf, needed


def test_what_is_no_elf_file_needs_nothing() -> None:
    assert needed(b"#!/bin/sh\n" + bytes(100)) == ()
    assert not is_elf(b"\x7fELF\x01\x01")


def test_a_program_of_this_machine_needs_libc() -> None:
    program = Path(shutil.which("env") or sys.executable).resolve()

    assert "libc.so.6" in needed(program.read_bytes())


def test_closure_follows_needs_through_circles() -> None:
    table = {"a": ("b",), "b": ("c", "a"), "c": (), "d": ()}

    assert closure(["a"], table.__getitem__) == {"a", "b", "c"}
