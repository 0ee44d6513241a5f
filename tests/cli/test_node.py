import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hepto.api.operators import Ordered, Verb
from hepto.cli.main import main
from hepto.errors import ExitCode, UserError
from tests.cli.outside import Outside, outside

LISTED = {
    "nodes": [
        {
            "name": "mymaster",
            "role": "full",
            "address": "fd6d:9999:dd30:100:b6c5:f112:b311:6200",
            "fingerprint": "aa" * 32,
            "since": 1782907200,
            "expires": 1814443200,
        }
    ],
    "pending": [{"name": "node1", "role": "node", "since": 1782907200, "fingerprint": "bb" * 32}],
}


async def nodes(_: tuple[str, ...], __: Ordered) -> object:
    return LISTED


async def change(arguments: tuple[str, ...], _: Ordered) -> object:
    if arguments[0] == "nobody":
        raise UserError("there is no node nobody in the cluster", "see `hepto node list`")
    return {}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    changes = dict.fromkeys((Verb.ADMIT, Verb.FORGET, Verb.REPLACE, Verb.REVOKE), change)
    with outside(tmp_path, monkeypatch, {Verb.NODES: nodes, **changes}) as found:
        yield found


def run(machine: Outside, *words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(machine.words("node", *words, "--ca", machine.ca))
    output = capsys.readouterr()
    return code, output.out, output.err


def test_nodes_and_those_that_wait_are_listed(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = run(machine, "list", capsys=capsys)
    lines = [line.split() for line in output.splitlines()]

    assert code == ExitCode.DONE
    assert lines[1] == [
        *("mymaster", "full", "fd6d:9999:dd30:100:b6c5:f112:b311:6200", "2026-07-01", "2027-07-01", "aa" * 32)
    ]
    assert lines[-1] == ["node1", "node", "2026-07-01", "bb" * 32]
    assert json.loads(run(machine, "list", "--json", capsys=capsys)[1]) == LISTED


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("admit", "bb" * 32), f"{'bb' * 32} is admitted"),
        (("forget", "node1"), "node1 is forgotten"),
        (("replace", "node1", "bb" * 32), f"node1 is now {'bb' * 32}"),
        (("revoke", "node1"), "node1 is revoked, and the gossip key is changed"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_change_is_ordered_and_confirmed(
    machine: Outside, words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(machine, *words, capsys=capsys) == (ExitCode.DONE, text + "\n", "")
    assert machine.heard == [words]


def test_what_the_master_refuses_is_two_lines(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = run(machine, "forget", "nobody", capsys=capsys)

    assert code == ExitCode.FAILED
    assert error == "hepto: there is no node nobody in the cluster\n       see `hepto node list`\n"
