"""The configuration that an installed node finds on its ESP."""

import pytest

from hepto.config import resolve
from hepto.errors import ExitCode, UserError
from hepto.given import Given, Source, SourceKind
from hepto.install.settings import CONF, files
from hepto.sources import parse_file

KEY = b"00112233445566778899aabbccddeeff"
FLAG, VOLUME = Source(SourceKind.FLAG), Source(SourceKind.VOLUME, "/run/credentials/volume/hepto.conf")


def test_secrets_are_credentials_and_the_rest_are_lines() -> None:
    given = [Given("key", KEY, FLAG), Given("cluster", b"demo", FLAG), Given("api_names", b"a.example,b.example", FLAG)]

    found = files(given)

    assert found.content["loader/credentials/hepto.key.cred"] == KEY
    assert found.content[CONF].decode().splitlines()[1:] == ["api-names=a.example,b.example", "cluster=demo"]
    assert KEY.decode() not in repr(found)
    assert found.taken == ("api-names (a flag)", "cluster (a flag)", "key (a flag)")
    assert found.has_key


def test_a_node_reads_what_was_written() -> None:
    found = files([Given("cluster", b"demo", FLAG), Given("insecure", None, FLAG)])

    config = resolve(parse_file(found.content[CONF], "x", SourceKind.ESP)).require()
    assert (config.cluster, config.insecure) == ("demo", True)


def test_a_flag_outranks_a_volume_and_that_is_said() -> None:
    found = files([Given("port", b"7000", FLAG), Given("port", b"7001", VOLUME), Given("role", b"node", VOLUME)])

    assert found.content[CONF].decode().splitlines()[1:] == ["port=7000", "role=node"]
    assert any("outranks" in warning for warning in found.warnings)
    assert not found.has_key


def test_without_any_nothing_is_written() -> None:
    assert files([]).content == {}


def test_mistakes_are_told_before_anything_is_done() -> None:
    given = [Given("cluster", b"a", FLAG), Given("cluster", b"b", VOLUME), Given("colour", b"red", VOLUME)]

    with pytest.raises(UserError) as caught:
        files(given)

    assert "contradicts" in caught.value.what
    assert "hepto.colour" in caught.value.what
    assert caught.value.code is ExitCode.USAGE
