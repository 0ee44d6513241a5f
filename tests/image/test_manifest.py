from image.manifest import archive_digests, checksums, file_name, installed_packages, with_files

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


def test_packages_are_listed_with_the_files_that_debian_has() -> None:
    status = STATUS.replace("Version: 1:2.0-1\n", "Version: 1:2.0-1\nArchitecture: amd64\n").replace(
        "Version: 3\n", "Version: 3\nArchitecture: all\n"
    )
    status = status.partition("Package: gone")[0]

    found = with_files(installed_packages(status, {}), status)

    assert [package["file"] for package in found] == ["a_3_all.deb", "b_2.0-1_amd64.deb"]
    assert file_name({"Package": "sed", "Version": "4.9-2", "Architecture": "amd64"}) == "sed_4.9-2_amd64.deb"
