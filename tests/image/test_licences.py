import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from image.licences import NOASSERTION, TEXTS, of_copyright, of_module, of_text


@functools.cache
def spdx() -> Any:
    """The licences and the grammar of SPDX: half a second's work, once."""
    return get_spdx_licensing()


HEAD = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
MIT = "Permission is hereby granted, free of charge, to any person\nobtaining a copy of this software"
BSD2 = (
    "1. Redistributions of source\n * 2. Redistributions in binary form must reproduce the above\n * copyright notice"
)
BSD3 = f"{BSD2}\n3. Neither the name of the University"


def files(*names: str) -> str:
    return HEAD + "\n".join(f"Files: {number}\nCopyright: x\nLicense: {name}\n" for number, name in enumerate(names))


@pytest.mark.parametrize(
    ("names", "expression"),
    [
        (["GPL-2+"], "GPL-2.0-or-later"),
        (["GPL-2"], "GPL-2.0-only"),
        (["GPLv3+", "GPL-3+"], "GPL-3.0-or-later"),
        (["LGPL-2.1-only"], "LGPL-2.1-only"),
        (["GPL-2.0+"], "GPL-2.0-or-later"),
        (["GFDL-NIV-1.3+"], "GFDL-1.3-no-invariants-or-later"),
        (["Expat", "Apache-2.0"], "Apache-2.0 AND MIT"),
        (["GPL-1+ or Artistic"], "GPL-1.0-or-later OR Artistic-1.0-Perl"),
        (["ISC", "LGPL-3+ or GPL-2+"], "ISC AND (LGPL-3.0-or-later OR GPL-2.0-or-later)"),
        (["MPL-1.1, and ISC or Zlib"], "MPL-1.1 AND ISC OR Zlib"),
        (["BSD-3-clause and ISC", "ISC"], "BSD-3-Clause AND ISC"),
        (["GPL-2 with Linux-syscall-note exception"], "GPL-2.0-only WITH Linux-syscall-note"),
    ],
)
def test_short_names_of_debian_become_those_of_spdx(names: list[str], expression: str) -> None:
    found = of_copyright(files(*names))

    assert (found.expression, found.texts) == (expression, {})
    assert spdx().validate(expression).errors == []


def test_a_licence_that_spdx_does_not_know_is_kept_with_its_text() -> None:
    text = HEAD + "Files: *\nLicense: public-domain\n\nLicense: public-domain\n Do what\n .\n you want.\n"

    found = of_copyright(text)

    (reference,) = found.texts
    assert reference.startswith("LicenseRef-Debian-public-domain-")
    assert found.texts[reference] == ("public-domain", "Do what\n\nyou want.")
    assert found.expression == reference


def test_the_same_name_with_another_text_is_another_licence() -> None:
    one, two = (of_copyright(HEAD + f"Files: *\nLicense: custom\n {text}\n") for text in ("one", "two"))

    assert one.expression != two.expression


def test_gpl_4_and_an_unknown_exception_are_no_licences_of_spdx() -> None:
    found = of_copyright(files("GPL-4", "GPL-2 with Font exception"))

    assert len(found.texts) == 2
    assert "GPL-4.0" not in found.expression


@pytest.mark.parametrize(
    "text", ["", "It was debianised by somebody.\nLicense: GPL-2\n", HEAD, HEAD + "License: GPL-2\n x\n"]
)
def test_what_no_machine_can_read_has_no_assertion(text: str) -> None:
    assert of_copyright(text).expression == NOASSERTION


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=30), max_size=4))
def test_any_short_names_give_an_expression_that_is_valid(names: list[str]) -> None:
    found = of_copyright(files(*names))

    if found.expression != NOASSERTION:
        errors = spdx().validate(found.expression).errors
        # The library knows no LicenseRefs, and says so of each.
        assert [error for error in errors if not error.startswith("Unknown license key(s): LicenseRef-Debian-")] == []


def test_licence_texts_are_recognised_whatever_their_line_breaks() -> None:
    assert of_text(MIT) == ("MIT",)
    assert of_text(BSD2) == ("BSD-2-Clause",)
    assert of_text(BSD3) == ("BSD-3-Clause",)
    assert of_text(f"{MIT}\n----\n{BSD3}") == ("BSD-3-Clause", "MIT")
    assert of_text("All rights reserved.") == ()


@pytest.mark.parametrize("phrase", ["GNU General Public License", "Creative Commons"])
def test_a_text_that_also_names_another_licence_gets_no_answer(phrase: str) -> None:
    assert of_text(f"{MIT}\n{phrase}") == ()


def test_a_module_has_the_licences_of_all_its_files_or_none_known() -> None:
    assert of_module([("LICENSE", MIT), ("LICENSE.libyaml", BSD3), ("README", "GPL")]) == "BSD-3-Clause AND MIT"
    assert of_module([("LICENSE", MIT), ("COPYING.md", "something else")]) == NOASSERTION
    assert of_module([("README", MIT)]) == NOASSERTION


def test_names_are_of_spdx() -> None:
    known = spdx().known_symbols

    assert {name for _, name in TEXTS} <= set(known)
