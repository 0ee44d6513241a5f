"""What a user says of a lab, judged before anything is started: by the table of options, all mistakes at once. Pure."""

import os
from collections.abc import Sequence

from hepto.config import Mistake, resolve
from hepto.errors import ExitCode, UserError
from hepto.given import Given, Source, SourceKind
from hepto.lab import plan
from hepto.lab.spec import Emulator
from hepto.options import normalise
from hepto.sources import parse_cmdline

FLAG = Source(SourceKind.FLAG)
OURS = {
    "cluster": "name the cluster by --cluster",
    "name": f"name the first node by --node; the others are {', '.join(plan.NAMES[1:4])} …",
}
"""Options that the lab itself has to know, to find a node's kubeconfig and to tell its address."""


def check(wish: plan.Wish, credentials: Sequence[Given], most_memory: int) -> None:
    """Raises UserError with every mistake, two lines each. `credentials` are the values of --key and --admin, from
    FLAG; `most_memory` is that of this machine in MiB.
    """
    found = dict.fromkeys(_of_the_lab(wish, most_memory))
    for name in plan.names(wish):
        found |= dict.fromkeys(_of_the_table(wish, name, credentials))
    lines = [line for pair in found for line in pair]
    if lines:
        raise UserError("\n".join(lines[:-1]), lines[-1], ExitCode.USAGE)


def _of_the_lab(wish: plan.Wish, most_memory: int) -> list[tuple[str, str]]:
    found = []
    try:
        plan.lab(wish, Emulator(()), None)
    except UserError as error:
        found.append(error.lines())
    if wish.memory is not None and wish.memory > most_memory:
        found.append((f"--memory {wish.memory}: this machine has {most_memory} MiB", "give a node less"))
    return found


def _of_the_table(wish: plan.Wish, name: str, credentials: Sequence[Given]) -> list[tuple[str, str]]:
    words = [given for word in plan.words_for(name, wish.options) for given in parse_cmdline(os.fsencode(word))]
    ours = [given for given in words if normalise(given.name) in OURS]
    found = [
        (f"--set hepto.{given.name}: the lab could not find its nodes any more", OURS[normalise(given.name)])
        for given in ours
    ]
    cluster = Given("cluster", os.fsencode(wish.cluster), FLAG)
    others = [given for given in words if given not in ours]
    return found + [_explained(mistake, credentials) for mistake in resolve([cluster, *credentials, *others]).mistakes]


def _explained(mistake: Mistake, credentials: Sequence[Given]) -> tuple[str, str]:
    if mistake.key == "hepto.key" and not any(given.name == "key" for given in credentials):
        return mistake.what, "say --set hepto.insecure as well, or leave --no-key out"
    return mistake.what, mistake.hint
