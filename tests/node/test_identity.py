import os
import stat
from pathlib import Path

from hepto.node import identity
from hepto.node.state import State, dump
from tests.node.facts import config


def test_a_node_finds_again_what_it_remembers(tmp_path: Path) -> None:
    node, remembered = identity.identify(config(data=str(tmp_path)))
    assert remembered == State()

    Path(node.directory, identity.STATE).write_bytes(dump(State(clock=5.0, machine_id="ab")))
    again, remembered = identity.identify(config(data=str(tmp_path)))

    assert node.directory == again.directory == f"{tmp_path}/demo/one"
    assert stat.S_IMODE(os.stat(node.directory).st_mode) == 0o700
    assert remembered == State(clock=5.0, machine_id="ab")
    assert again.machine_id == "ab"


def test_what_a_power_cut_left_half_written_is_removed(tmp_path: Path) -> None:
    left = [tmp_path / "demo/one" / name for name in (".state.json.7.tmp", "pki/.ca.pem.7.tmp", "identity/.x.7.tmp")]
    kept = tmp_path / "demo/one/pki/ca.pem"
    for path in (*left, kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    identity.identify(config(data=str(tmp_path)))

    assert not any(path.exists() for path in left)
    assert kept.exists()
