"""The calls are found by themselves, all of them, and each has its place in what the interpreter runs."""

from types import CodeType

import pytest

from tests.kernel.faults import injector, sites
from tests.kernel.faults.sites import ROOT, of_source

FOLDED = 0.01
"""Part of all calls that a compiler may leave out."""


def codes(code: CodeType) -> list[CodeType]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return [code, *(found for one in inner for found in codes(one))]


def test_a_call_is_named_by_where_it_stands_and_what_it_calls() -> None:
    text = "class A:\n    def f(self) -> int:\n        return max(self.g(\n            1), len(x))\n\ny = f(1)(2)\n"

    found = {(site.line, site.column, site.end, site.function, site.call) for site in of_source(text, "a.py")}

    assert found == {
        (3, 16, (4, 23), "A.f", "max"),
        (3, 20, (4, 14), "A.f", "self.g"),
        (4, 17, (4, 22), "A.f", "len"),
        (6, 5, (6, 8), "module", "f"),
        (6, 5, (6, 11), "module", "f(1)"),
    }


def test_there_are_thousands_and_no_two_end_at_one_place() -> None:
    found = sites.sites()

    assert sum(site.path.startswith("init/") for site in found) > 1000
    assert sum(site.path.startswith("hepto/") for site in found) > 1000
    assert len({(site.path, site.end) for site in found}) == len(found)


@pytest.mark.kernel  # of the interpreter that the injector runs in, which is not the image's
def test_the_interpreter_knows_the_calls_by_the_same_ends() -> None:
    for path in sites.files():
        text = path.read_text()
        known = {end for code in codes(compile(text, str(path), "exec")) for end in injector.ends(code).values()}
        wanted = {site.end for site in of_source(text, str(path.relative_to(ROOT)))}

        assert len(wanted - known) <= FOLDED * len(wanted) + 1


def test_what_is_raised_depends_on_the_call_alone_and_is_of_all_kinds() -> None:
    found = sites.sites()
    raised = [sites.error(site) for site in found]

    assert raised == [sites.error(site) for site in found]
    assert raised != [sites.error(site, turn=1) for site in found]
    assert set(raised) == {*sites.DEFECTS, *sites.REFUSALS}
    assert isinstance(injector.made("OSError:24", "x"), OSError)
    assert isinstance(injector.made("MemoryError", "x"), MemoryError)
