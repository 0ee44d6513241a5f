from pathlib import Path

import pytest

from hepto.edge.apt import (
    AptRoot,
    Source,
    debian_archives,
    explain,
    parse_deb822,
    parse_one_line,
    read_sources,
    sources_for,
)
from hepto.errors import ExitCode, UserError

DEB822 = """\
Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://mirror.example/sources
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Components: main
"""
MAIN = Source(
    ("http://mirror.example/debian",),
    ("bookworm", "bookworm-updates"),
    ("main", "contrib"),
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)


def test_deb822_gives_the_enabled_binary_sources() -> None:
    found = parse_deb822(DEB822)

    assert [MAIN.uris, ("http://mirror.example/debian-security",)] == [source.uris for source in found]
    assert found[0] == MAIN


def test_an_armoured_key_survives_parsing_and_writing() -> None:
    text = (
        "Types: deb\nURIs: http://m\nSuites: trixie\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----\n"
    )

    [source] = parse_deb822(text)

    assert source.signed_by.splitlines()[1:3] == [".", "mQINBF"]
    assert parse_deb822(source.stanza()) == [source]


def test_one_line_sources_are_read_with_options_and_comments() -> None:
    text = (
        "# deb http://off bookworm main\n"
        "deb-src http://source bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://a/debian bookworm main contrib # trailing\n"
        "deb http://b/debian bookworm-security main\n"
    )

    assert parse_one_line(text) == [
        Source(("http://a/debian",), ("bookworm",), ("main", "contrib"), "/k.gpg"),
        Source(("http://b/debian",), ("bookworm-security",), ("main",), ""),
    ]


@pytest.mark.parametrize(
    "third_party",
    [
        Source(("https://x/apt",), ("cloud-sdk-bookworm",), ("main",)),
        Source(("https://x/docker",), ("bookworm",), ("stable",)),
        Source(("https://x/node",), ("nodistro",), ("main",), "/usr/share/keyrings/nodesource.gpg"),
        Source(("https://x/vpn",), ("bookworm",), ("main",), "/usr/share/keyrings/vpn-archive-keyring.gpg"),
        Source(("cdrom:[Debian]/",), ("bookworm",), ("main",)),
    ],
    ids=lambda source: source.uris[0],
)
def test_third_parties_never_stand_in_for_debian(third_party: Source) -> None:
    assert debian_archives([third_party]) == (None, None)
    assert debian_archives([third_party, MAIN])[0] == MAIN


def test_rewritten_sources_keep_mirror_and_key() -> None:
    text = sources_for(parse_deb822(DEB822), "trixie", "bookworm-backports")

    main, security = parse_deb822(text)
    assert main == Source(MAIN.uris, ("trixie", "trixie-updates", "bookworm-backports"), ("main",), MAIN.signed_by)
    assert security.uris == ("http://mirror.example/debian-security",)
    assert security.suites == ("trixie-security",)


def test_a_machine_without_a_debian_archive_is_told_so() -> None:
    with pytest.raises(UserError, match="knows no Debian archive"):
        sources_for([], "trixie")


def test_sources_of_a_machine_come_from_both_formats(tmp_path: Path) -> None:
    folder = tmp_path / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    (folder / "debian.sources").write_text(DEB822)
    (tmp_path / "etc/apt/sources.list").write_text("deb http://list/debian bookworm main\n")
    (folder / "old.save").write_text("deb http://saved/debian bookworm main\n")

    assert [source.uris[0] for source in read_sources(tmp_path)] == [
        "http://list/debian",
        "http://mirror.example/debian",
        "http://mirror.example/debian-security",
    ]


@pytest.mark.parametrize(
    ("output", "what", "code"),
    [
        (
            "Err:1 http://m bookworm-backports Release\n"
            "E: The repository 'http://m/debian bookworm-backports Release' does not have a Release file.",
            "does not serve the suite bookworm-backports",
            ExitCode.UNREACHABLE,
        ),
        (
            "E: Failed to fetch http://m/InRelease  Temporary failure resolving 'm'\nE: Some index files failed",
            "could not reach its mirror: Failed to fetch",
            ExitCode.UNREACHABLE,
        ),
        ("E: Unable to locate package mkosi", "no package mkosi", ExitCode.FAILED),
        ("E: Release 'trixie' for 'mkosi' was not found", "no package mkosi", ExitCode.FAILED),
        ("E: Write error - write (28: No space left on device)", "no space left", ExitCode.FAILED),
        (
            "W: GPG error: http://m trixie InRelease: NO_PUBKEY 1\n"
            "E: The repository 'http://m trixie InRelease' is not signed.",
            "could not verify Debian's signature",
            ExitCode.REFUSED,
        ),
        (
            "The following packages have unmet dependencies:\n a : Depends: b (> 1) but 0 is to be installed\nE: held",
            "cannot satisfy a : Depends: b (> 1)",
            ExitCode.FAILED,
        ),
    ],
)
def test_apts_failures_are_explained_in_two_lines(output: str, what: str, code: ExitCode) -> None:
    error = explain(output)

    assert what in error.what
    assert error.code is code
    assert error.hint
    assert "\n" not in error.what + error.hint


def test_the_isolated_configuration_clears_the_machines_hooks(tmp_path: Path) -> None:
    root = AptRoot(tmp_path, "Types: deb\n")

    lines = root.configuration.read_text().splitlines()
    assert "#clear APT::Update::Post-Invoke;" in lines
    assert f'Dir::State "{tmp_path}/state";' in lines
    assert 'Dir::Etc::sourcelist "/dev/null";' in lines
    assert (tmp_path / "status").read_bytes() == b""
