"""Names licences as SPDX does: texts in, expressions out.

Two sources: Debian's machine-readable copyright files (copyright-format 1.0, whose section 7 has the short names) and
the licence files of Go modules. What is not surely one of SPDX' licences becomes a LicenseRef with its text (a Debian
file), or nothing (a Go module): better no answer than a wrong one.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

NOASSERTION = "NOASSERTION"
FORMAT = re.compile(r"^Format:\s*\S*copyright-format/1\.0", re.MULTILINE)
FAMILIES = {"GPL": "GPL", "LGPL": "LGPL", "AGPL": "AGPL", "GFDL": "GFDL", "GFDL-NIV": "GFDL"}
FAMILY = re.compile(r"(A?GPL|LGPL|GFDL(?:-NIV)?)-?v?(\d(?:\.\d)?)(?:\.0)?(\+|-only|-or-later)?", re.IGNORECASE)
INVARIANTS = "-no-invariants"
# Short names of copyright-format 1.0 and spellings seen in Debian, in lower case -> SPDX' identifier.
SAME = {
    **{name.lower(): name for name in ("0BSD", "BSL-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0")},
    **{name.lower(): name for name in ("CC0-1.0", "FSFAP", "FSFUL", "FSFULLR", "ISC", "Latex2e", "MPL-1.1", "MPL-2.0")},
    **{name.lower(): name for name in ("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "MIT", "X11")},
    **{name.lower(): name for name in ("Artistic-2.0", "BSD-4-Clause-UC", "OFL-1.1", "Unicode-DFS-2016", "Zlib")},
    "apache-2": "Apache-2.0",
    "artistic": "Artistic-1.0-Perl",  # what /usr/share/common-licenses/Artistic holds
    "expat": "MIT",
}
EXCEPTIONS = {
    "autoconf exception": "Autoconf-exception-generic",
    "bison exception": "Bison-exception-2.2",
    "libtool exception": "Libtool-exception",
    "linux-syscall-note exception": "Linux-syscall-note",
}
# A sentence that only this licence has (white space made even, lower case), and how SPDX calls it.
TEXTS = (
    ("apache license version 2.0", "Apache-2.0"),
    ("mozilla public license version 2.0", "MPL-2.0"),
    ("neither the name of", "BSD-3-Clause"),
    ("names of its contributors may not be used to endorse", "BSD-3-Clause"),
    ("redistributions in binary form must reproduce the above copyright notice", "BSD-2-Clause"),
    ("permission to use, copy, modify, and or distribute this software for any purpose", "ISC"),
    ("permission to use, copy, modify, and distribute this software for any purpose", "ISC"),
    ("permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
)
# With one of these a text may be some other licence, or more than one: no answer.
STRANGE = ("general public license", "all advertising materials", "creative commons", "business source license")
LICENCE_FILE = re.compile(r"(?i)(licen[cs]e|copying|unlicense)([.-][\w.-]+)?$")


@dataclass
class Declared:
    """What a package says of its licence. `texts`: of each LicenseRef in the expression, its name and text."""

    expression: str = NOASSERTION
    texts: dict[str, tuple[str, str]] = field(default_factory=dict)


def of_copyright(text: str) -> Declared:
    """The licences of all files in a Debian copyright file, joined by AND; NOASSERTION if no machine can read it."""
    if not FORMAT.search(text[:2000]):
        return Declared()
    names: dict[str, None] = {}
    bodies: dict[str, str] = {}
    for fields in _paragraphs(text):
        first, _, body = fields.get("license", "").partition("\n")
        name = _even(first)
        if name and body.strip():
            bodies.setdefault(name.lower(), _plain(body))
        if name and "files" in fields:
            names[name] = None
    declared = Declared()
    terms: set[str] = set()
    for name in names:
        term = _term(name, bodies, declared.texts)
        terms.update([term] if " OR " in term else term.split(" AND "))
    if terms:
        alone = len(terms) == 1
        bracketed = (f"({term})" if " OR " in term and not alone else term for term in sorted(terms))
        declared.expression = " AND ".join(bracketed)
    return declared


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs' fields, names in lower case; lines that go on keep their line breaks."""
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line[:1] in {" ", "\t"} and name:
                fields[name] += "\n" + line
            elif match := re.match(r"([A-Za-z][\w-]*):(.*)", line):
                name = match[1].lower()
                fields[name] = match[2].strip()
        if fields:
            yield fields


def _plain(body: str) -> str:
    """A field's further lines as the licence has them: the indent and the dots of empty lines go."""
    lines = [line.strip() for line in body.splitlines()]
    return "\n".join("" if line == "." else line for line in lines).strip("\n")


def _even(text: str) -> str:
    return " ".join(text.split())


def _term(name: str, bodies: Mapping[str, str], texts: dict[str, tuple[str, str]]) -> str:
    """The expression of one `License:` line: `A, and B or C` binds as Debian's format says (and before or)."""
    alternatives = []
    for choice in re.split(r",?\s+or\s+", name, flags=re.IGNORECASE):
        parts = [_single(part, name, bodies, texts) for part in re.split(r",?\s+and\s+", choice, flags=re.IGNORECASE)]
        alternatives.append(" AND ".join(dict.fromkeys(parts)))
    return " OR ".join(dict.fromkeys(alternatives))


def _single(name: str, whole: str, bodies: Mapping[str, str], texts: dict[str, tuple[str, str]]) -> str:
    """One licence, perhaps with an exception: SPDX' identifier, else a LicenseRef that `texts` gets the text of."""
    base, _, exception = name.partition(" with ")
    if known := _identifier(base.strip()):
        if not exception:
            return known
        if clause := EXCEPTIONS.get(exception.lower()):
            return f"{known} WITH {clause}"
    text = (
        bodies.get(name.lower())
        or bodies.get(whole.lower())
        or f"Debian's copyright file names {name}, without a text."
    )
    # The same name may stand for different texts in different packages, so the text is part of the reference.
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    reference = f"LicenseRef-Debian-{re.sub(r'[^A-Za-z0-9.]+', '-', name).strip('-') or 'unnamed'}-{digest}"
    texts[reference] = (name, text)
    return reference


def _identifier(name: str) -> str | None:
    if same := SAME.get(name.lower()):
        return same
    if match := FAMILY.fullmatch(name):
        family, number, later = match[1].upper(), match[2], match[3]
        number = number if "." in number else f"{number}.0"
        if (family.startswith("GFDL") and number == "1.0") or number not in KNOWN_VERSIONS[family.partition("-")[0]]:
            return None
        without = INVARIANTS if family == "GFDL-NIV" else ""
        return f"{FAMILIES[family]}-{number}{without}{'-or-later' if later in {'+', '-or-later'} else '-only'}"
    return None


KNOWN_VERSIONS = {
    "AGPL": ("1.0", "3.0"),
    "GPL": ("1.0", "2.0", "3.0"),
    "LGPL": ("2.0", "2.1", "3.0"),
    "GFDL": ("1.1", "1.2", "1.3"),
}


def of_text(text: str) -> tuple[str, ...]:
    """The SPDX identifiers of the licences in a text, sorted; () if it has none that is known, or a strange one."""
    even = re.sub(r"[\s*#/>\"'“”]+", " ", text).lower().replace("license, version", "license version")
    found = {name for sentence, name in TEXTS if sentence in even}
    if "BSD-3-Clause" in found:
        found.discard("BSD-2-Clause")  # whose conditions are among the three
    # The MPL's own text names the GPL.
    if "MPL-2.0" not in found and any(phrase in even for phrase in STRANGE):
        return ()
    return tuple(sorted(found))


def of_module(files: Iterable[tuple[str, str]]) -> str:
    """The expression of a Go module from the names and texts of its licence files; NOASSERTION if one is not known."""
    found = [of_text(text) for name, text in files if LICENCE_FILE.fullmatch(name)]
    if not found or () in found:
        return NOASSERTION
    return " AND ".join(sorted({name for names in found for name in names}))
