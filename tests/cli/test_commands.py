"""info, options, cmdline, key and completion do what their help says."""

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hepto import values
from hepto.cli.main import main
from hepto.config import resolve
from hepto.errors import ExitCode
from hepto.options import AVAILABLE, OPTIONS
from hepto.sources import parse_cmdline

ROOT = Path(__file__).parents[2]
KEY = "00" * 32


def run(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Standard output of a run that succeeds."""
    code = main(words)
    output = capsys.readouterr()
    assert (code, output.err) == (ExitCode.DONE, "")
    return output.out


class TestInfo:
    """`hepto info`."""

    def test_addresses_are_those_of_the_plan(self, capsys: pytest.CaptureFixture[str]) -> None:
        meaning = json.loads(run("info", "-cluster", "hepto", "-name", "acetique", "--json", capsys=capsys))

        assert meaning["cluster"]["nodes"] == "fdfd:9432:32b3:100::/56"
        assert meaning["node"]["address"] == "fdfd:9432:32b3:100:302:1a88:9151:9627"
        assert meaning["node"]["data"] == "/var/lib/hepto/hepto/acetique"
        assert meaning["options"]["name"] == {"value": "acetique", "source": "a flag"}
        assert meaning["warnings"] == []
        text = run("info", "-cluster", "hepto", "-name", "acetique", capsys=capsys)
        assert "fdfd:9432:32b3:100:302:1a88:9151:9627" in text

    def test_ports_follow_from_role_and_options(self, capsys: pytest.CaptureFixture[str]) -> None:
        def ports(*words: str) -> set[str]:
            return {row["port"] for row in json.loads(run("info", "--json", *words, capsys=capsys))["ports"]}

        assert ports() == {"udp/7946", "tcp/7946", "tcp/7947", "udp/7948", "tcp/6443"}
        assert ports("--kube-api", "mesh", "--open", "tcp/1") == {
            *("udp/7946", "tcp/7946", "tcp/7947", "udp/7948", "tcp/1"),
        }

    def test_a_node_without_a_name_gets_one_on_the_machine(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert json.loads(run("info", "--json", capsys=capsys))["node"] is None
        assert "its name is made on the machine" in run("info", capsys=capsys)

    def test_the_environment_counts_and_flags_outrank_it(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HEPTO_PORT", "7000")

        assert json.loads(run("info", "--json", capsys=capsys))["options"]["port"]["value"] == "7000"
        assert main(["info", "--json", "--port", "7001"]) == ExitCode.DONE
        meaning = json.loads(capsys.readouterr().out)
        assert meaning["options"]["port"] == {"value": "7001", "source": "a flag"}
        assert meaning["warnings"] == ["--port=7001 outranks HEPTO_PORT=7000"]

    def test_a_key_is_read_from_a_file_or_standard_input_and_never_shown(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "key"
        file.write_text("ab" * 32 + "\n")

        text = run("info", "--key", f"@{file}", capsys=capsys)
        assert re.search(r"key +\(secret\) +a flag", text)
        monkeypatch.setenv("HEPTO_KEY", f"@{file}")
        text += run("info", "--json", capsys=capsys)
        assert "abab" not in text

    def test_a_secret_that_cannot_be_read_hides_no_other_mistake(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["--key", KEY, "--port", "abc", "--registry-credentials", "swordfish", "--key", "@/nonexistent"]
        assert main(["info", *words]) == ExitCode.USAGE

        error = capsys.readouterr().err
        assert [line.startswith("hepto: ") for line in error.splitlines()] == [True, False] * 4
        assert "--key: /nonexistent: No such file or directory" in error
        assert "swordfish" not in error
        assert error.count("hepto key --output FILE") == 1, "that makes a gossip key, and nothing else"
        assert "write it to a file (HOST=USER:PASSWORD" in error

    def test_a_key_in_an_argument_is_refused_and_not_repeated(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["info", "--key", KEY]) == ExitCode.USAGE

        error = capsys.readouterr().err
        assert error.startswith("hepto: --key: it takes @FILE, or - for standard input")
        assert KEY not in error

    def test_a_key_file_that_is_not_there_is_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["info", "--key", "@/nowhere"]) == ExitCode.USAGE
        assert "hepto: --key: /nowhere: No such file or directory\n" in capsys.readouterr().err


def test_a_secret_does_not_stay_in_the_environment() -> None:
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from hepto.cli.environment import hide_secrets; hide_secrets()\n"
        "import json, os; from hepto.cli.flags import environment_givens\n"
        "(given,) = environment_givens()\n"
        "print(json.dumps([open('/proc/self/environ').read(), given.value.decode()]))\n"
    )

    result = subprocess.run(
        [sys.executable, "-I", "-c", program],
        env={"HEPTO_KEY": KEY, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )

    environment, value = json.loads(result.stdout)
    assert KEY not in environment
    assert value == KEY


class TestOptions:
    """`hepto options` and docs/options.md."""

    def test_the_document_is_current(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert (ROOT / "docs/options.md").read_text() == run("options", "--markdown", capsys=capsys), (
            "run: hepto options --markdown > docs/options.md"
        )

    def test_only_what_can_be_honoured_is_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        rows = json.loads(run("options", "--json", capsys=capsys))

        assert [row["name"] for row in rows] == [option.name for option in AVAILABLE]
        texts = run("options", capsys=capsys) + run("info", "--help", capsys=capsys)
        for option in OPTIONS:
            assert bool(re.search(rf"^ *(--)?{option.name}\b", texts, re.MULTILINE)) is option.available

    def test_every_row_names_all_spellings(self, capsys: pytest.CaptureFixture[str]) -> None:
        rows = {row["name"]: row for row in json.loads(run("options", "--json", capsys=capsys))}

        assert rows["api-port"] == {
            "name": "api-port",
            "cmdline": "hepto.api-port",
            "credential": "hepto.api-port",
            "environment": "HEPTO_API_PORT",
            "flag": "--api-port",
            "takes": "a number from 1 to 65535",
            "choices": [],
            "default": "7947",
            "default_text": "7947",
            "help": rows["api-port"]["help"],
            "example": "7947",
            "secret": False,
        }


class TestCmdline:
    """`hepto cmdline`."""

    def test_what_is_printed_is_read_back_as_the_same_configuration(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = []
        for option in AVAILABLE:
            if not option.secret and option.name != "info":
                words += [option.flag] if option.kind.is_switch else [option.flag, option.example]

        line = run("cmdline", *words, capsys=capsys)

        config = resolve(parse_cmdline(line.encode())).require()
        for option in AVAILABLE:
            if not option.secret and option.name != "info":
                assert getattr(config, option.attribute) == option.kind.parse(option.example)

    def test_only_what_was_given_is_printed_in_the_order_of_the_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        line = run("cmdline", "--role", "full", "--name", "one", "--cluster", "demo", capsys=capsys)

        assert line == "hepto.cluster=demo hepto.name=one hepto.role=full\n"

    def test_a_secret_is_refused_with_advice(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "key"
        file.write_text(KEY)

        assert main(["cmdline", "--key", f"@{file}"]) == ExitCode.USAGE
        what, hint = capsys.readouterr().err.splitlines()
        assert what == "hepto: --key: it does not belong on the kernel command line: every pod can read it"
        assert "credential hepto.key" in hint
        assert main(["cmdline", "--key", f"@{file}", "--port", "abc"]) == ExitCode.USAGE
        assert len(capsys.readouterr().err.splitlines()) == 4, "it hides no other mistake"

    def test_for_machines_it_is_an_object_with_the_warnings(self, capsys: pytest.CaptureFixture[str]) -> None:
        names = ",".join(f"host-{number}.example.org" for number in range(120))

        assert json.loads(run("cmdline", "--name", "one", "--json", capsys=capsys)) == {
            "cmdline": "hepto.name=one",
            "warnings": [],
        }
        assert "the kernel cuts" in run("cmdline", "--api-names", names, "--json", capsys=capsys)

    def test_a_line_that_the_kernel_would_cut_is_printed_with_a_warning(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        names = ",".join(f"host-{number}.example.org" for number in range(120))

        assert main(["cmdline", "--api-names", names]) == ExitCode.DONE
        assert "the kernel cuts a command line after 2,047 bytes" in capsys.readouterr().err


class TestKey:
    """`hepto key`."""

    def test_a_key_is_good_and_new_each_time(self, capsys: pytest.CaptureFixture[str]) -> None:
        keys = {run("key", capsys=capsys) for _ in range(3)}

        assert len(keys) == 3
        assert all(re.fullmatch(r"[0-9a-f]{64}\n", key) for key in keys)

    def test_a_file_is_private_and_complete(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "key"
        before = os.umask(0)
        try:
            assert run("key", "--output", str(file), capsys=capsys) == ""
        finally:
            os.umask(before)

        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert re.fullmatch(r"[0-9a-f]{64}\n", file.read_text())

    def test_for_machines_it_is_an_object(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "key"

        assert re.fullmatch(r"[0-9a-f]{64}", json.loads(run("key", "--json", capsys=capsys))["key"])
        assert json.loads(run("key", "--json", "--output", str(file), capsys=capsys)) == {"output": str(file)}
        assert re.fullmatch(r"[0-9a-f]{64}\n", file.read_text())

    def test_an_identity_comes_with_the_fingerprint_that_operators_admit(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "two.identity"
        said = run("key", "--identity", "--output", str(file), capsys=capsys)

        seed = values.IDENTITY.parse(file.read_text().strip())
        public = Ed25519PrivateKey.from_private_bytes(seed.reveal()).public_key().public_bytes_raw()
        assert said == f"fingerprint {hashlib.sha256(public).hexdigest()}\n"

    def test_an_identity_alone_goes_to_standard_output_without_its_fingerprint(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["key", "--identity"]) == ExitCode.DONE
        said = capsys.readouterr()
        assert re.fullmatch(r"[0-9a-f]{64}\n", said.out)
        assert re.fullmatch(r"fingerprint [0-9a-f]{64}\n", said.err)

    def test_a_file_is_never_overwritten(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "key"
        file.write_text("precious")

        assert main(["key", "--output", str(file)]) == ExitCode.FAILED
        assert "is there already" in capsys.readouterr().err
        assert file.read_text() == "precious"

    def test_a_directory_that_is_not_there_is_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["key", "--output", "/nowhere/key"]) == ExitCode.FAILED
        assert "hepto: /nowhere/key: No such file or directory\n" in capsys.readouterr().err


class TestCompletion:
    """`hepto completion`."""

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_each_shell_gets_a_script_that_asks_hepto(self, shell: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert f"_HEPTO_COMPLETE={shell}_complete" in run("completion", shell, capsys=capsys)

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            (["hepto", "inf"], ["info"]),
            (["hepto", "info", "--api-"], ["--api-port", "--api-names"]),
            (["hepto", "info", "--cni", ""], ["native", "none", "calico", "cilium"]),
            (["hepto", "cmdline", "--cni", ""], ["native", "none"]),
            (["hepto", "info", "--debug", "lab,n"], ["lab,no-kube"]),
        ],
    )
    def test_commands_options_and_values_are_completed(
        self, words: list[str], found: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("_HEPTO_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))

        with pytest.raises(SystemExit):
            main([])

        assert [line.partition(",")[2] for line in capsys.readouterr().out.splitlines()] == found
