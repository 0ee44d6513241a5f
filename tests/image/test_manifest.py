from image.manifest import archive_digests, checksums, installed_packages

STATUS = """\
Package: b
Status: install ok installed
Version: 1:2.0-1
Description: first line
 more lines
 Version: not this one

Package: a
Status: install ok installed
Version: 3

Package: gone
Status: deinstall ok config-files
Version: 4
"""
LISTS = ["Package: b\nVersion: 1:2.0-1\nSHA256: abc\n\nPackage: b\nVersion: 1:1.0-1\nSHA256: old\n"]


def test_installed_packages_are_listed_with_the_digest_of_their_version() -> None:
    assert installed_packages(STATUS, archive_digests(LISTS)) == [
        {"name": "a", "version": "3", "sha256": ""},
        {"name": "b", "version": "1:2.0-1", "sha256": "abc"},
    ]


def test_checksums_are_in_the_format_of_sha256sum() -> None:
    assert checksums({"vmlinuz": "22", "initrd.cpio": "11"}) == "11  initrd.cpio\n22  vmlinuz\n"
