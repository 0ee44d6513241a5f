"""Writes the software bill of materials of an image as SPDX 2.3 JSON: components in, a document out.

SPDX 2.3 and not 3.0, for scanners and registries read the former and mostly not yet the latter. Promises: the same
components give the same bytes; nothing is drawn by lot, and the document's namespace follows from what is in it.
"""

import datetime
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from image.goinfo import BuildInfo, Module
from image.licences import NOASSERTION, Declared

FILE = "sbom.spdx.json"
NAMESPACE = "https://hepto.invalid/spdx/"
DOCUMENT = "SPDXRef-DOCUMENT"
IMAGE = "SPDXRef-image"


@dataclass(frozen=True)
class Component:
    """Something in the image. `reference` is unique in the document; `digest` is the SHA-256 of its file."""

    reference: str
    name: str
    version: str
    licence: Declared
    purl: str = ""
    digest: str = ""
    file: str = ""  # the name of the file that the digest is of
    supplier: str = NOASSERTION
    source: str = ""  # what it was made from
    homepage: str = ""
    purpose: str = ""  # one of SPDX' primaryPackagePurpose
    links: tuple[str, ...] = field(default=())  # references of what it is statically linked with


def reference(*words: str) -> str:
    """An SPDX identifier: letters, digits, `.` and `-`; what was another letter becomes its number in hex."""
    text = "-".join(words)
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", lambda match: f"-{ord(match[0]):x}-", text)


def _escaped(text: str, safe: str = "") -> str:
    # The package URL specification: a colon is never encoded.
    return quote(text, safe=safe + ":~")


def debian_purl(name: str, version: str, architecture: str, suite: str, source: tuple[str, str] | None = None) -> str:
    """The package URL of a Debian package; `source` is its source package, name and version: scanners ask for it."""
    upstream = f"&upstream={_escaped(source[0])}%40{_escaped(source[1])}" if source else ""
    where = f"arch={_escaped(architecture)}&distro={_escaped(suite)}"
    return f"pkg:deb/debian/{_escaped(name)}@{_escaped(version)}?{where}{upstream}"


def go_purl(path: str, version: str) -> str:
    """The package URL of a Go module."""
    return f"pkg:golang/{_escaped(path, '/')}@{_escaped(version)}"


def source_of(fields: Mapping[str, str]) -> tuple[str, str]:
    """The source package of a paragraph of dpkg's status; what `Source: NAME (VERSION)` leaves out is the package's."""
    match = re.fullmatch(r"(\S+)(?: \((\S+)\))?", fields.get("Source", ""))
    name, version = (match[1], match[2]) if match else (None, None)
    return name or fields["Package"], version or fields["Version"]


def built_using(fields: Mapping[str, str]) -> list[tuple[str, str]]:
    """The source packages that are linked into a package: names and versions."""
    text = ", ".join(fields[name] for name in ("Built-Using", "Static-Built-Using") if name in fields)
    return sorted(set(re.findall(r"(\S+) \(= (\S+)\)", text)))


def debian_components(
    packages: Sequence[Mapping[str, str]],
    digests: Mapping[str, str],
    licences: Mapping[str, Declared],
    suite: str,
) -> list[Component]:
    """The packages (paragraphs of dpkg's status), and the source packages that were linked into them."""
    found: dict[str, Component] = {}
    for fields in packages:
        name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
        source, source_version = source_of(fields)
        links = []
        for part, part_version in built_using(fields):
            links.append(reference("source", part, part_version))
            found[links[-1]] = Component(
                links[-1],
                part,
                part_version,
                Declared(),
                purl=debian_purl(part, part_version, "source", suite),
                supplier="Organization: Debian",
                purpose="SOURCE",
            )
        made = Component(
            reference("deb", name),
            name,
            version,
            licences.get(name, Declared()),
            purl=debian_purl(name, version, architecture, suite, (source, source_version)),
            digest=digests.get(name, ""),
            supplier="Organization: Debian",
            source=f"built from the Debian source package {source} {source_version}",
            homepage=fields.get("Homepage", ""),
            links=tuple(links),
        )
        found[made.reference] = made
    return list(found.values())


def go_components(binaries: Mapping[str, tuple[str, BuildInfo | None]], licences: Mapping[str, str]) -> list[Component]:
    """Executables (name -> SHA-256, build information), their modules and Go's own library.

    `licences` says PATH@VERSION -> expression.
    """
    found: dict[str, Component] = {}
    for name, (digest, info) in sorted(binaries.items()):
        links: list[str] = []
        if info is not None:
            library = Module("stdlib", info.go)
            for module in (library, *info.modules):
                made = _module(module, "BSD-3-Clause" if module is library else licences.get(_key(module), NOASSERTION))
                found[made.reference] = made
                links.append(made.reference)
        binary = Component(
            reference("binary", name),
            name,
            "",
            Declared(),
            digest=digest,
            file=name,
            supplier="Organization: hepto",
            source="compiled from the Go modules that it is linked with",
            purpose="APPLICATION",
            links=tuple(links),
        )
        found[binary.reference] = binary
    return list(found.values())


def _key(module: Module) -> str:
    return f"{module.path}@{module.version}"


def _module(module: Module, licence: str) -> Component:
    source = f"checksum in go.sum: {module.checksum}" if module.checksum else ""
    if module.stands_for:
        source += f"; stands for {module.stands_for}"
    return Component(
        reference("go", module.path, module.version),
        module.path,
        module.version,
        Declared(licence),
        purl=go_purl(module.path, module.version),
        source=source,
        purpose="LIBRARY",
    )


def _package(component: Component) -> dict[str, Any]:
    value: dict[str, Any] = {
        "SPDXID": component.reference,
        "name": component.name,
        "downloadLocation": NOASSERTION,
        "filesAnalyzed": False,
        "licenseConcluded": NOASSERTION,
        "licenseDeclared": component.licence.expression,
        "copyrightText": NOASSERTION,
        "supplier": component.supplier,
    }
    optional = {
        "versionInfo": component.version,
        "packageFileName": component.file,
        "sourceInfo": component.source,
        "homepage": component.homepage,
        "primaryPackagePurpose": component.purpose,
    }
    value |= {name: text for name, text in optional.items() if text}
    if component.digest:
        value["checksums"] = [{"algorithm": "SHA256", "checksumValue": component.digest}]
    if component.purl:
        link = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": component.purl}
        value["externalRefs"] = [link]
    return value


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def document(image: Component, components: Sequence[Component], made: int) -> str:
    """The text of the document: the image, what it contains, what that is linked with. `made` is in seconds of Unix.

    Raises ValueError if two components have one reference.
    """
    ordered = sorted(components, key=lambda component: component.reference)
    if twice := [one.reference for one, two in pairwise(ordered) if one.reference == two.reference]:
        raise ValueError(f"two components are called {', '.join(twice)}")
    linked = {link for component in ordered for link in component.links}
    relations = [_relationship(DOCUMENT, "DESCRIBES", image.reference)]
    relations += [
        _relationship(image.reference, "CONTAINS", each.reference) for each in ordered if each.reference not in linked
    ]
    relations += [_relationship(each.reference, "STATIC_LINK", link) for each in ordered for link in each.links]
    texts = {key: value for component in ordered for key, value in component.licence.texts.items()}
    extracted = [{"licenseId": key, "name": name, "extractedText": text} for key, (name, text) in sorted(texts.items())]
    body: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": f"{image.name}-{image.version}",
        "creationInfo": {
            "created": datetime.datetime.fromtimestamp(made, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [f"Tool: hepto-{image.version}"],
        },
        "packages": [_package(component) for component in (image, *ordered)],
        "relationships": relations,
        "hasExtractedLicensingInfos": extracted,
    }
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    body["documentNamespace"] = f"{NAMESPACE}{image.name}-{image.version}-{digest}"
    return json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
