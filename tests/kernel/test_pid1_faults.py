"""Exceptions at many places of PID 1 while services come, die and go: what runs is not touched, nothing is doubled."""

import contextlib
import os
import signal
from functools import partial
from pathlib import Path

import pytest

from init.contract.control import Verb
from init.contract.service import Restart, Service
from tests.kernel.machine import SLEEP, Machine, machine

pytestmark = pytest.mark.kernel

PLACES = [int(step**1.6) + 1 for step in range(60)]  # dense at first, then up to a few hundred lines into the story


def note(booted: Machine, text: str) -> None:
    """An order whose answer may be lost by the fault."""
    with contextlib.suppress(OSError), contextlib.closing(booted.client()) as client:
        client._socket.settimeout(0.5)
        client.ask(Verb.NOTE, text=text)


def another(booted: Machine, before: list[int]) -> bool:
    return booted.members("mortal") not in ([], before)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("story", ["death", "new file", "stop"])
def test_an_exception_anywhere_touches_no_running_service_and_doubles_none(tmp_path: Path, story: str) -> None:
    with machine(tmp_path) as booted:
        booted.write("steady", Service(SLEEP))
        booted.write("mortal", Service(SLEEP, restart=Restart(step=0.001, cap=0.001, reset=0.001)))
        steady = booted.until_state("steady", "ready")["pid"]
        booted.until_state("mortal", "ready")
        booted.until(lambda: set(booted.phases().values()) == {"done"}, "all phases")
        hit = set()
        for number, place in enumerate(PLACES):
            before = booted.members("mortal")
            booted.fault("line", count=place)
            match story:
                case "death":
                    os.kill(before[0], signal.SIGKILL)
                case "new file":
                    booted.write("mortal", Service(SLEEP, restart_key=str(number)))
                case "stop":
                    booted.remove("mortal")
                    note(booted, "removed")
                    booted.write("mortal", Service(SLEEP, restart_key=str(number)))
            for poke in range(100):  # the loop has to go round until the line is reached
                note(booted, f"{number} {poke}")
                if booted.fired():
                    break
            hit.add(booted.fired())
            booted.until(partial(another, booted, before), "another process")
            booted.until_state("mortal", "ready")
            assert len(booted.members("mortal")) == 1
            assert booted.status("steady")["pid"] == steady
            assert len(booted.members("steady")) == 1

    assert len(hit) > len(PLACES) / 4  # else the same few lines were hit again and again
