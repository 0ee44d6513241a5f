"""From the user's options to a specification."""

import pytest

from hepto.errors import ExitCode, UserError
from hepto.lab.plan import Wish, lab, merge
from hepto.lab.spec import Emulator

QEMU = Emulator(("qemu",), (), (10,))


def test_a_plain_wish_is_one_full_node_with_its_key_as_a_credential() -> None:
    made = lab(Wish(image="/image"), QEMU, "00ff")

    (node,) = made.nodes
    assert node.options == ("hepto.cluster=demo", "hepto.name=one", "hepto.role=full", "hepto.debug=lab")
    assert node.credentials == (("hepto.key", "00ff"),)
    assert made.cluster == "demo"


def test_without_a_key_there_is_no_credential() -> None:
    assert lab(Wish(), QEMU, None).nodes[0].credentials == ()


def test_given_options_win_and_debug_adds_up() -> None:
    ours = {"hepto.role": "full", "hepto.debug": "lab"}

    assert merge(ours, ("hepto.role=node", "hepto.debug=no-kube,lab", "hepto.cni=none", "init.x")) == (
        "hepto.role=node",
        "hepto.debug=lab,no-kube",
        "hepto.cni=none",
        "init.x",
    )


@pytest.mark.parametrize("word", ["hepto.key=00", "hepto.identity=x", "a b=c", 'x="y"', "x=\n"])
def test_words_that_leak_or_break_the_command_line_are_refused(word: str) -> None:
    with pytest.raises(UserError) as caught:
        merge({}, (word,))

    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize(
    "wish",
    [
        Wish(name="No"),
        Wish(name="../x"),
        Wish(node="router"),
        Wish(node="a" * 33),
        Wish(memory=100),
        Wish(options=("x=" + "y" * 2048,)),
    ],
    ids=["upper-case", "path", "reserved", "long", "memory", "command-line"],
)
def test_what_cannot_be_is_refused_before_anything_is_made(wish: Wish) -> None:
    with pytest.raises(UserError) as caught:
        lab(wish, QEMU, None)

    assert caught.value.code is ExitCode.USAGE
