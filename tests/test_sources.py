"""Configuration is found where the contract says, read as the kernel would, and nothing there stops a node."""

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepto import options, sources
from hepto.config import resolve
from hepto.given import Given, Source, SourceKind

KEY = "00" * 32


def pairs(givens: list[Given]) -> list[tuple[str, bytes | None]]:
    """Names and values alone."""
    return [(given.name, given.value) for given in givens]


class TestCmdline:
    """The kernel's rules of words and quotes."""

    def test_only_words_of_hepto_count(self) -> None:
        line = b"console=ttyS0 hepto.cluster=demo quiet init.debug=1 xhepto.name=two hepto.name=one hepto.insecure\n"

        assert pairs(sources.parse_cmdline(line)) == [("cluster", b"demo"), ("name", b"one"), ("insecure", None)]

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            (b"", []),
            (b"  a \t b\n", [b"a", b"b"]),
            (b'a="b c" d', [b"a=b c", b"d"]),
            (b'"a=b c" d', [b"a=b c", b"d"]),
            (b'a=b" "c', [b'a=b" "c']),  # quotes inside a value stay
            (b'a="b=c"', [b"a=b=c"]),
            (b'a=""', [b"a="]),
            (b'"a', [b"a"]),
            (b'a="b c', [b"a=b c"]),
            (b'"', [b""]),
        ],
    )
    def test_quotes(self, line: bytes, words: list[bytes]) -> None:
        assert [word.text for word in sources.split_words(line)] == words

    def test_a_quote_that_is_never_closed_is_a_mistake(self) -> None:
        (found,) = sources.parse_cmdline(b'hepto.search="a.example hepto.cluster=b')

        assert found.name == "search"
        assert found.defect == ("the double quote is never closed", "close it")

    def test_a_line_that_the_kernel_cut_is_a_mistake(self) -> None:
        line = b"hepto.cluster=demo " + b"x" * 3000

        assert sources.parse_cmdline(line[:2046])[-1].defect is None
        (found,) = sources.parse_cmdline(line[:2047])
        assert found.defect is not None
        assert "end may be lost" in found.defect[0]
        assert sources.parse_cmdline(b"x" * 2047) == []

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_any_bytes_make_a_resolution(self, line: bytes) -> None:
        resolution = resolve(sources.parse_cmdline(line))

        assert resolution.config is not None or resolution.mistakes

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.sampled_from([*options.BY_NAME, "x"]), st.binary(max_size=9)), max_size=6))
    def test_any_values_make_a_resolution(self, words: list[tuple[str, bytes]]) -> None:
        resolution = resolve(sources.parse_cmdline(b" ".join(b"hepto.%s=%s" % (n.encode(), v) for n, v in words)))

        assert resolution.config is not None or resolution.mistakes

    @settings(deadline=None)
    @given(st.text(st.characters(codec="utf-8", exclude_characters='"\n\0'), min_size=1))
    def test_what_is_quoted_is_read_back_the_same(self, text: str) -> None:
        # A value that itself begins with white space only is kept by the quotes too.
        (found,) = sources.parse_cmdline(sources.quote("hepto.search", text).encode())

        assert found.value == text.encode()


class TestOthers:
    """hepto.conf and the environment."""

    def test_a_file_has_comments_and_names_with_or_without_prefix(self) -> None:
        data = b"# a comment\n\n cluster = demo \nhepto.name=one\ninsecure\n"

        assert pairs(sources.parse_file(data, "x")) == [("cluster", b"demo"), ("name", b"one"), ("insecure", None)]

    def test_the_file_cannot_say_where_it_lies(self) -> None:
        (found,) = sources.parse_file(b"data=/srv", "x")

        assert found.defect is not None

    def test_the_environment_spells_in_capitals_with_underscores(self) -> None:
        found = sources.parse_environment({"HEPTO_API_PORT": "7000", "HOME": "/", "HEPTO": "x"})

        assert pairs(found) == [("api_port", b"7000")]
        assert resolve([*found, Given("key", KEY.encode(), found[0].source)]).require().api_port == 7000


class TestMachine:
    """read_machine collects all that a booted machine was given."""

    def write(self, root: Path, path: str, content: str | bytes) -> Path:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def test_what_volumes_hold_can_be_read_alone(self, tmp_path: Path) -> None:
        """`hepto install` takes it along, and nothing that the machine itself was given."""
        self.write(tmp_path, "proc/cmdline", "hepto.cluster=demo\n")
        self.write(tmp_path, "run/credentials/smbios/hepto.name", "one")
        self.write(tmp_path, "run/credentials/volume/hepto.conf", "port=7000\n")
        self.write(tmp_path, "run/credentials/cidata/hepto.key.cred", KEY + "\n")

        assert pairs(sources.read_volumes(tmp_path)) == [("port", b"7000"), ("key", KEY.encode())]

    def test_everything_is_found_with_its_source(self, tmp_path: Path) -> None:
        self.write(tmp_path, "proc/cmdline", "quiet hepto.cluster=demo hepto.name=one\n")
        self.write(tmp_path, "run/credentials/smbios/hepto.key", KEY + "\n")
        self.write(tmp_path, "run/credentials/smbios/other.key", "x")
        self.write(tmp_path, "run/credentials/fw_cfg/hepto.api-port", "7000")
        self.write(tmp_path, "run/credentials/esp/hepto.search.cred", "lab.internal\r\n")
        self.write(tmp_path, "var/lib/hepto/hepto.conf", "ntp=ntp.example.org\n")

        resolution = resolve(sources.read_machine(tmp_path))
        config = resolution.require()

        assert (config.cluster, config.name, config.api_port) == ("demo", "one", 7000)
        assert (config.search, config.ntp) == (("lab.internal",), ("ntp.example.org",))
        given = {
            name: source for name, source in resolution.provenance.items() if source.kind is not SourceKind.DEFAULT
        }
        assert {name: source.kind.name for name, source in given.items()} == {
            "cluster": "CMDLINE",
            "name": "CMDLINE",
            "key": "SMBIOS",
            "api-port": "FW_CFG",
            "search": "ESP",
            "ntp": "FILE",
        }

    def test_without_a_command_line_files_on_disks_and_the_image_say_the_same(self, tmp_path: Path) -> None:
        self.write(tmp_path, "proc/cmdline", "roothash=00 quiet\n")
        self.write(tmp_path, "run/credentials/esp/hepto.conf", f"cluster=demo\nkey={KEY}\n")
        self.write(tmp_path, "run/credentials/volume/hepto.name", "one\n")
        self.write(tmp_path, "run/credentials/cidata/user-data", "#hepto\nport=8001\ndata=/srv/data\n")
        self.write(tmp_path, "usr/lib/hepto/cmdline", 'hepto.search="a.example, b.example" hepto.data-disk=S1')

        resolution = resolve(sources.read_machine(tmp_path))

        config = resolution.require()
        assert (config.cluster, config.name, config.port, config.data_disk) == ("demo", "one", 8001, "S1")
        names = ("cluster", "name", "port", "search")
        assert [str(resolution.provenance[name]) for name in names] == [
            *("hepto.conf on the ESP", "a credential on the volume hepto-conf", "user-data on the volume cidata"),
            "the image (hepto build --set)",
        ]

    @pytest.mark.parametrize("place", ["esp/hepto.conf", "volume/hepto.conf", "cidata/user-data"])
    def test_a_wrong_key_there_is_named_with_its_file(self, tmp_path: Path, place: str) -> None:
        self.write(tmp_path, f"run/credentials/{place}", f"clustr=demo\nkey={KEY}\n")

        (mistake,) = resolve(sources.read_machine(tmp_path)).mistakes

        assert mistake.what.startswith(f"hepto.clustr from {place.partition('/')[2]} on the ")
        assert mistake.hint == "did you mean hepto.cluster?"

    def test_a_cluster_that_two_of_them_name_differently_is_a_mistake(self, tmp_path: Path) -> None:
        self.write(tmp_path, "run/credentials/volume/hepto.conf", f"cluster=one\nkey={KEY}\n")
        self.write(tmp_path, "usr/lib/hepto/cmdline", "hepto.cluster=two")

        (mistake,) = resolve(sources.read_machine(tmp_path)).mistakes

        assert mistake.what == (
            "hepto.cluster=one from hepto.conf on the volume hepto-conf contradicts "
            "hepto.cluster=two from the image (hepto build --set)"
        )

    def test_the_file_lies_in_the_data_directory_that_was_given_even_if_the_rest_is_wrong(self, tmp_path: Path) -> None:
        self.write(tmp_path, "proc/cmdline", "hepto.data=/srv/data hepto.clustr=x\n")
        self.write(tmp_path, "srv/data/hepto.conf", "cluster=demo\n")

        assert ("cluster", b"demo") in pairs(sources.read_machine(tmp_path))

    def test_a_container_on_a_host_is_told_by_its_own_credentials_alone(self, tmp_path: Path) -> None:
        self.write(tmp_path, "proc/cmdline", "hepto.cluster=of-the-host")
        self.write(tmp_path, "run/credentials/smbios/hepto.name", "of-the-host")
        self.write(tmp_path, "var/lib/hepto/hepto.conf", "ntp=of.the.host")
        assert not sources.is_contained(tmp_path)
        self.write(tmp_path, "run/credentials/flag/hepto.name", "n1\n")
        self.write(tmp_path, "run/credentials/environment/hepto.key", KEY)

        resolution = resolve(sources.read_machine(tmp_path))

        assert sources.is_contained(tmp_path)
        config = resolution.require()
        assert (config.name, config.cluster) == ("n1", "hepto")
        assert [str(resolution.provenance[name]) for name in ("name", "key", "cluster")] == [
            *("a flag", "the environment", "the default"),
        ]
        assert resolution.warnings == ()

    def test_an_empty_machine_has_nothing(self, tmp_path: Path) -> None:
        assert sources.read_machine(tmp_path) == []

    def test_what_cannot_be_read_is_a_mistake_not_an_exception(self, tmp_path: Path) -> None:
        (tmp_path / "run/credentials/smbios/hepto.key").mkdir(parents=True)
        self.write(tmp_path, "run/credentials/esp/hepto.name", "x" * (sources.FILE_LIMIT + 1))
        fifo = tmp_path / "run/credentials/fw_cfg/hepto.cluster"
        fifo.parent.mkdir()
        os.mkfifo(fifo)
        (tmp_path / "var/lib/hepto/hepto.conf").mkdir(parents=True)

        defects = [given.defect[0] for given in sources.read_machine(tmp_path) if given.defect]

        assert [defect.split(": ")[1] for defect in defects] == [
            *("Is a directory", "not a regular file", "larger than 64 KiB", "Is a directory"),
        ]

    def test_secrets_are_only_in_values_that_do_not_show(self, tmp_path: Path) -> None:
        self.write(tmp_path, "run/credentials/smbios/hepto.key", KEY)

        assert KEY not in repr(sources.read_machine(tmp_path))


def test_the_kinds_of_credentials_are_those_that_pid_1_writes() -> None:
    from init.contract import paths

    assert tuple(sources._CREDENTIAL_KINDS) == paths.CREDENTIAL_SOURCES


def test_a_shell_keeps_a_quoted_word_whole() -> None:
    word = sources.quote("hepto.search", "a b")

    assert shlex.split(word) == ["hepto.search=a b"]
    assert Source(SourceKind.CMDLINE).spell("search") == "hepto.search"
