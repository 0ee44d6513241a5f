"""An operator's machine against a master on the loopback device, with real SSH keys."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hepto.api.operators import Ordered, Verb
from hepto.cli import operator
from hepto.cli.main import main
from hepto.errors import ExitCode
from hepto.pki import sshsig, store
from tests.api.example import CLUSTER, STRANGER
from tests.cli.outside import HOST, NAME, Outside, outside, ssh_key


async def nodes(_: tuple[str, ...], ordered: Ordered) -> object:
    return {"nodes": [], "pending": [], "\x1b[2J": ordered.fingerprint}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    with outside(tmp_path, monkeypatch, {Verb.NODES: nodes}) as found:
        yield found


def pin(machine: Outside, authority: bytes = store.certificate_pem(CLUSTER.certificate)) -> Path:
    path = operator.state_directory(NAME) / "ca.crt"
    path.parent.mkdir(parents=True)
    path.write_bytes(authority)
    return path


def run(machine: Outside, *words: str, key: str = "key", capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(machine.words("node", "list", "--json", *words, key=key))
    output = capsys.readouterr()
    return code, output.out, output.err


def test_a_ca_that_was_given_is_remembered(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, error = run(machine, "--ca", machine.ca, capsys=capsys)

    assert (code, error) == (ExitCode.DONE, "")
    assert '"SHA256:' in output
    assert (machine.home / f"state/hepto/clusters/{NAME}/ca.crt").read_bytes() == store.certificate_pem(
        CLUSTER.certificate
    )
    assert run(machine, capsys=capsys)[0] == ExitCode.DONE


def test_a_ca_that_nobody_vouches_for_is_refused_with_its_fingerprint(
    machine: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output, error = run(machine, capsys=capsys)

    assert (code, output) == (ExitCode.REFUSED, "")
    assert f"--ca {machine.ca}" in error
    assert machine.heard == []
    assert not (machine.home / "state").exists()


@pytest.mark.parametrize(("answer", "code"), [("y", ExitCode.DONE), ("n", ExitCode.REFUSED)])
def test_a_person_is_asked(
    machine: Outside, answer: str, code: ExitCode, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_, **__: answer == "y")

    found, _, error = run(machine, capsys=capsys)

    assert found == code
    assert machine.ca in error
    assert len(machine.heard) == (1 if answer == "y" else 0)


def test_another_ca_than_the_one_that_is_known_is_refused(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    pin(machine, store.certificate_pem(STRANGER.certificate))

    code, _, error = run(machine, capsys=capsys)

    assert code == ExitCode.REFUSED
    assert "is not who it should be" in error
    assert run(machine, "--ca", machine.ca, capsys=capsys)[0] == ExitCode.REFUSED
    assert machine.heard == []


def test_a_wrong_ca_is_refused(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(machine, "--ca", "00" * 32, capsys=capsys)[0] == ExitCode.REFUSED
    assert not (machine.home / "state").exists()


def test_who_is_no_operator_is_refused(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    pin(machine)

    code, _, error = run(machine, "--ssh-key", str(machine.home / "other"), capsys=capsys)

    assert code == ExitCode.REFUSED
    assert "hepto.admin" in error
    assert machine.heard == []


def test_a_wrong_key_is_refused(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    pin(machine)

    code, _, error = run(machine, key="wrong", capsys=capsys)

    assert code == ExitCode.REFUSED
    assert "--key @FILE" in error


def test_nobody_there_is_not_reachable(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    pin(machine)
    machine.port = 1

    assert run(machine, capsys=capsys)[0] == ExitCode.UNREACHABLE
    assert main(["node", "list", "--anchor", "two.example.org", "--key", f"@{machine.home / 'key'}"]) == (
        ExitCode.UNREACHABLE
    )


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--key", "@key"], "--anchor HOST"),
        (["--anchor", "one:7946", "--key", "@key"], "--api-port"),
        (["--anchor", HOST], "--key @FILE"),
        (["--anchor", HOST, "--key", "00"], "@FILE"),
        (["--anchor", HOST, "--key", "@key", "--api-port", "x"], "1 to 65535"),
    ],
)
def test_wrong_use_is_said(
    words: list[str],
    what: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text("00" * 32)

    assert main(["node", "list", *words]) == ExitCode.USAGE
    assert what in capsys.readouterr().err


@pytest.fixture
def openssh(tmp_path: Path) -> Path:
    """A key that OpenSSH is to use."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("no ssh-keygen on this machine")
    ssh_key(tmp_path / "id")
    return tmp_path / "id"


def signer(signature: bytes) -> str:
    return sshsig.fingerprint(sshsig.verify(signature, b"order"))


def public(path: Path) -> str:
    return sshsig.fingerprint(sshsig.public_key(path.with_suffix(".pub").read_text()))


def test_ssh_keygen_signs(openssh: Path) -> None:
    assert signer(asyncio.run(operator.ssh_sign(openssh, b"order"))) == public(openssh)


def test_ssh_agent_signs(openssh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = str(openssh.parent / "agent")
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE) as agent:
        try:
            assert agent.stdout
            agent.stdout.readline()  # it listens
            monkeypatch.setenv("SSH_AUTH_SOCK", socket)
            subprocess.run(["ssh-add", "-q", str(openssh)], check=True, stderr=subprocess.DEVNULL)
            openssh.unlink()

            for named in (None, openssh.with_suffix(".pub")):
                assert signer(asyncio.run(operator.ssh_sign(named, b"order"))) == public(openssh)
        finally:
            agent.terminate()


@pytest.mark.parametrize("name", ["id", None], ids=["damaged", "no agent"])
def test_what_cannot_sign_is_an_error_of_the_system(
    openssh: Path, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    openssh.write_text("nothing")
    openssh.with_suffix(".pub").unlink()

    with pytest.raises(OSError):
        asyncio.run(operator.ssh_sign(openssh if name else None, b"order"))


def test_without_any_ssh_key_it_says_what_to_do(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    pin(machine)
    (machine.home / ".ssh/id_ed25519").unlink()

    code, _, error = run(machine, capsys=capsys)

    assert code == ExitCode.REFUSED
    assert "--ssh-key FILE" in error


def test_the_environment_is_enough(
    machine: Outside, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(machine)
    for name, value in {
        "HEPTO_ANCHOR": HOST,
        "HEPTO_API_PORT": str(machine.port),
        "HEPTO_CLUSTER": NAME,
        "HEPTO_KEY": f"@{machine.home / 'key'}",
        "HEPTO_ROLE": "nonsense",
    }.items():
        monkeypatch.setenv(name, value)

    assert main(["node", "list"]) == ExitCode.DONE
    assert machine.heard == [("nodes",)]


def test_nothing_that_a_terminal_would_obey_comes_through(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    pin(machine)

    assert "\x1b" not in run(machine, capsys=capsys)[1]
    assert operator.clean({"a": ["b\x1b[1m", "c\nd", 1, None]}) == {"a": ["b\\x1b[1m", "c\nd", 1, None]}


def test_a_damaged_pin_is_told(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    path = pin(machine, b"nothing")

    code, _, error = run(machine, capsys=capsys)

    assert code == ExitCode.FAILED
    assert str(path) in error


def test_what_is_remembered_is_where_the_standard_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/one")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert str(operator.state_directory("demo")) == "/home/one/.local/state/hepto/clusters/demo"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert str(operator.state_directory("demo")) == "/home/one/.local/state/hepto/clusters/demo"
    assert os.environ["HOME"] == "/home/one"
