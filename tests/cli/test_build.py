import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from hepto.cli.build import baked, chosen_profile, command
from hepto.errors import ExitCode, UserError


def write_manifest(directory: Path) -> None:
    sizes = [
        {
            "file": "root.erofs",
            "part": "go",
            "package": "stack",
            "piece": "etcd",
            "version": "v1.37.2",
            "installed": 215_000_000,
            "compressed": 82_000_000,
        },
        {
            "file": "root.erofs",
            "part": "deb",
            "package": "libc6",
            "piece": "",
            "version": "2.41",
            "installed": 3_000_000,
            "compressed": 2_000_000,
        },
    ]
    (directory / "manifest.json").write_text(json.dumps({"sizes": sizes}))


def test_report_prints_packages_and_their_sum(tmp_path: Path) -> None:
    write_manifest(tmp_path)

    result = CliRunner().invoke(command, ["--report", "--output", str(tmp_path)])

    assert [line.split() for line in result.output.splitlines()[1:]] == [
        ["root.erofs", "go", "stack", "etcd", "v1.37.2", "215000", "82000"],
        ["root.erofs", "deb", "libc6", "2.41", "3000", "2000"],
        ["sum", "218000", "84000"],
    ]


def test_report_for_machines_is_json_in_bytes(tmp_path: Path) -> None:
    write_manifest(tmp_path)

    result = CliRunner().invoke(command, ["--report", "--json", "--output", str(tmp_path)])

    assert {row["package"]: row["compressed"] for row in json.loads(result.output)} == {
        "stack": 82_000_000,
        "libc6": 2_000_000,
        "sum": 84_000_000,
    }


def test_the_report_is_drawn_on_demand(tmp_path: Path) -> None:
    write_manifest(tmp_path)

    result = CliRunner().invoke(
        command, ["--report", "--svg", str(tmp_path / "image.svg"), "--output", str(tmp_path)], catch_exceptions=False
    )

    assert (result.exit_code, result.output) == (0, "")
    assert "84.0 MB" in (tmp_path / "image.svg").read_text()


def test_a_picture_is_refused_without_a_report_and_where_it_cannot_be_written(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    with pytest.raises(UserError, match="--svg draws the report") as caught:
        CliRunner().invoke(command, ["--svg", "x.svg", "--output", str(tmp_path)], catch_exceptions=False)
    assert caught.value.code is ExitCode.USAGE

    with pytest.raises(UserError, match="No such file"):
        CliRunner().invoke(
            command,
            ["--report", "--svg", str(tmp_path / "absent/x.svg"), "--output", str(tmp_path)],
            catch_exceptions=False,
        )


def test_licences_are_a_table_or_json(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    package = {"SPDXID": "SPDXRef-a", "name": "libc6", "versionInfo": "2.41", "licenseDeclared": "LGPL-2.1-or-later"}
    (tmp_path / "sbom.spdx.json").write_text(json.dumps({"packages": [package]}))

    table = CliRunner().invoke(command, ["--licences", "--output", str(tmp_path)])
    value = CliRunner().invoke(command, ["--licences", "--json", "--output", str(tmp_path)])

    assert [line.split() for line in table.output.splitlines()[1:]] == [["libc6", "2.41", "LGPL-2.1-or-later"]]
    assert json.loads(value.output) == [{"component": "libc6", "version": "2.41", "licence": "LGPL-2.1-or-later"}]


def test_report_builds_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no image"):
        CliRunner().invoke(command, ["--report", "--output", str(tmp_path / "absent")], catch_exceptions=False)

    assert list(tmp_path.iterdir()) == []


def test_an_output_that_holds_something_else_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(UserError, match="hepto did not build") as caught:
        CliRunner().invoke(command, ["--output", str(tmp_path)], catch_exceptions=False)

    assert caught.value.code is ExitCode.USAGE
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_build_leaves_the_handlers_of_signals_as_they_were(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    (tmp_path / "thesis.tex").touch()

    CliRunner().invoke(command, ["--output", str(tmp_path)])

    assert before == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]


@pytest.mark.parametrize("formats", ["img", "disk,img", ""])
def test_only_what_can_be_built_is_offered(formats: str) -> None:
    with pytest.raises(UserError, match="is no format") as caught:
        CliRunner().invoke(command, ["--format", formats], catch_exceptions=False)

    assert caught.value.code is ExitCode.USAGE
    assert "netboot, disk, uki, iso" in caught.value.hint


@pytest.mark.parametrize(
    ("formats", "given", "profile"),
    [
        (("netboot",), None, "vm"),
        (("netboot", "disk"), "metal", "metal"),
        (("iso",), None, "metal"),
        (("disk", "iso"), "metal", "metal"),
    ],
)
def test_an_iso_image_has_the_kernel_that_knows_usb(formats: tuple[str, ...], given: str | None, profile: str) -> None:
    assert chosen_profile(given, formats) == profile


def test_an_iso_image_with_another_kernel_is_refused(tmp_path: Path) -> None:
    words = ["--format", "iso", "--profile", "vm", "--output", str(tmp_path / "absent")]
    with pytest.raises(UserError, match="kernel knows no USB") as caught:
        CliRunner().invoke(command, words, catch_exceptions=False)

    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("hepto.cluster=demo", "hepto.cluster=demo"),
        ("hepto.search=a.example, b.example", 'hepto.search="a.example, b.example"'),
        ("hepto.insecure", "hepto.insecure"),
        ("hepto.data-disk=memory", "hepto.data-disk=memory"),
    ],
)
def test_options_are_baked_in_as_words_of_a_command_line(given: str, word: str) -> None:
    assert baked((given,)) == (word,)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (("hepto.clustr=x",), "hepto.clustr from the image (hepto build --set) is not an option"),
        (("hepto.port=x", "hepto.role=y"), "hepto.role=y"),
        (("hepto.cluster=a", "hepto.key=" + "00" * 32), "--set hepto.key would put a secret into an image"),
        (("console=ttyS0",), "--set console is no option of hepto"),
        (("hepto.cluster=a", "hepto.cluster=b"), "contradicts"),
    ],
)
def test_what_no_node_would_take_is_not_baked_in(given: tuple[str, ...], text: str) -> None:
    with pytest.raises(UserError) as caught:
        baked(given)

    assert text in caught.value.what
    assert "00" * 32 not in caught.value.what + caught.value.hint
    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize("other", ["--stack", "--archive"])
def test_a_locked_build_takes_nothing_from_elsewhere(other: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{other} has no meaning") as caught:
        CliRunner().invoke(command, ["--locked", "x", other, "y", "--output", str(tmp_path)], catch_exceptions=False)

    assert caught.value.code is ExitCode.USAGE


def test_a_folder_without_a_lock_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no lock\.json"):
        CliRunner().invoke(
            command, ["--locked", str(tmp_path), "--output", str(tmp_path / "image")], catch_exceptions=False
        )

    assert not (tmp_path / "image").exists()


def test_an_archive_that_would_replace_something_else_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(UserError, match="hepto did not write"):
        CliRunner().invoke(
            command, ["--archive", str(tmp_path), "--output", str(tmp_path / "image")], catch_exceptions=False
        )

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
