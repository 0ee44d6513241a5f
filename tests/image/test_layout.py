import pytest

from image.layout import forbidden, matcher, normal, packages_of, select
from image.spec import Keep


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/bin/mount", "usr/bin/mount"),
        ("/lib64/ld.so", "usr/lib64/ld.so"),
        ("/usr/bin/x", "usr/bin/x"),
        ("/etc/bin/x", "etc/bin/x"),
        ("/.", ""),
    ],
)
def test_paths_are_those_of_a_merged_usr(given: str, expected: str) -> None:
    assert normal(given) == expected


def test_owners_come_from_file_lists_without_architecture() -> None:
    assert packages_of({"libc6:amd64": ["/.", "/lib/libc.so"], "mount": ["/bin/mount"]}) == {
        "usr/lib/libc.so": "libc6",
        "usr/bin/mount": "mount",
    }


OWNERS = {"usr/bin/a": "one", "usr/share/doc/one/x": "one", "usr/lib/two/test/t": "two", "usr/lib/two/m": "two"}


def test_only_what_a_rule_keeps_is_kept() -> None:
    rules = (Keep("one", ("usr/bin/*",)), Keep("two", ("usr/lib/*",), drop=("*/test/*",)))

    assert select(OWNERS, rules) == {"usr/bin/a": "one", "usr/lib/two/m": "two"}


def test_a_rule_that_keeps_nothing_is_an_error_that_names_the_package() -> None:
    with pytest.raises(LookupError, match="one has none of usr/sbin"):
        select(OWNERS, (Keep("one", ("usr/sbin/*",)),))


def test_no_glob_matches_nothing() -> None:
    assert matcher(()).match("anything") is None


def test_forbidden_paths_are_found() -> None:
    assert forbidden(["usr/bin/x", "usr/lib/systemd/system/y"], ("*/systemd/*",)) == ["usr/lib/systemd/system/y"]
