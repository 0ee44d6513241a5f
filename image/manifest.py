"""The list of what is in an image: packages with versions and digests, the stack's modules. Text in, values out."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NotRequired, TypedDict


class Package(TypedDict):
    """A Debian package; `sha256` is that of the .deb, "" where apt's lists do not know it (packages of our own)."""

    name: str
    version: str
    sha256: str
    file: NotRequired[str]


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs of a Debian control file; of fields with several lines the first is kept."""
    for block in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z0-9-]+):[ \t]*(.*)$", block, re.MULTILINE))
        if fields:
            yield fields


def archive_digests(lists: Iterable[str]) -> dict[tuple[str, str], str]:
    """(package, version) -> SHA-256 of its .deb, from apt's Packages files."""
    return {
        (fields["Package"], fields["Version"]): fields.get("SHA256", "")
        for text in lists
        for fields in paragraphs(text)
        if "Package" in fields and "Version" in fields
    }


def installed_packages(status: str, digests: Mapping[tuple[str, str], str]) -> list[Package]:
    """The installed packages of dpkg's status file, sorted by name."""
    found = [
        Package(
            name=fields["Package"],
            version=fields["Version"],
            sha256=digests.get((fields["Package"], fields["Version"]), ""),
        )
        for fields in paragraphs(status)
        if fields.get("Status", "").endswith(" installed")
    ]
    return sorted(found, key=lambda package: package["name"])


def file_name(fields: Mapping[str, str]) -> str:
    """What Debian calls the file of a package, from a paragraph of dpkg's status: without the version's epoch."""
    return (
        f"{fields['Package']}_{fields['Version'].partition(':')[2] or fields['Version']}_{fields['Architecture']}.deb"
    )


def with_files(packages: Iterable[Package], status: str) -> list[Package]:
    """The packages with the names of their files, by dpkg's status."""
    files = {fields["Package"]: file_name(fields) for fields in paragraphs(status) if "Version" in fields}
    return [Package(**package, file=files[package["name"]]) for package in packages]


def checksums(digests: Mapping[str, str]) -> str:
    """SHA256SUMS as sha256sum writes and checks it."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
