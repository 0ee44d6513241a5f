"""What was given shows where it comes from, never what it is."""

from hepto.given import Given, Source, SourceKind, printable, shorten


def test_a_given_does_not_show_its_value() -> None:
    assert "horse" not in repr(Given("key", b"horse", Source(SourceKind.CMDLINE)))


def test_a_name_is_spelled_as_its_source_spells_it() -> None:
    spelled = {kind: Source(kind).spell("api-port") for kind in SourceKind}

    assert spelled.pop(SourceKind.FLAG) == "--api-port"
    assert spelled.pop(SourceKind.ENVIRONMENT) == "HEPTO_API_PORT"
    assert set(spelled.values()) == {"hepto.api-port"}


def test_every_source_can_be_named_in_a_sentence() -> None:
    names = [str(Source(kind, "/srv/hepto.conf")) for kind in SourceKind]

    assert len(set(names)) == len(names)
    assert "/srv/hepto.conf" in names


def test_a_spelling_that_says_where_it_is_from_is_not_explained_again() -> None:
    assert Source(SourceKind.FLAG).origin == ""
    assert Source(SourceKind.ENVIRONMENT).origin == ""
    assert Source(SourceKind.SMBIOS).origin == " from an SMBIOS credential"


def test_what_is_shown_stays_on_one_line() -> None:
    assert printable("a\nb\x1b[2J") == "a\\nb\\x1b[2J"
    assert shorten("a\nb") == "a\\nb"
    assert len(shorten("a" * 5000)) == 61
