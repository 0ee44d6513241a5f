"""From the user's options to a specification."""

from dataclasses import replace

import pytest

from hepto.errors import ExitCode, UserError
from hepto.lab.plan import FILES, Wish, files, lab, merge
from hepto.lab.spec import Emulator

QEMU = Emulator(("qemu",), (), (10,))


def test_a_plain_wish_is_one_full_node_with_its_key_as_a_credential() -> None:
    made = lab(Wish(image="/image"), QEMU, "00ff")

    (node,) = made.nodes
    assert node.options == ("hepto.cluster=demo", "hepto.name=one", "hepto.role=full", "hepto.debug=lab")
    assert node.credentials == (("hepto.key", "00ff"),)
    assert made.cluster == "demo"


def test_the_first_node_makes_the_cluster_and_the_others_know_its_address_and_its_name() -> None:
    made = lab(Wish(nodes=3), QEMU, "00ff")

    assert [node.name for node in made.nodes] == ["one", "two", "three"]
    assert [node.cpus for node in made.nodes] == [2, 1, 1]
    assert [node.memory for node in made.nodes] == [2048, 1024, 1024]
    anchor = f"hepto.anchor={made.address('one')},one.lab.internal"
    assert not any(word.startswith("hepto.anchor") for word in made.nodes[0].options)
    for node in made.nodes[1:]:
        assert {"hepto.role=node", f"hepto.name={node.name}", anchor} <= set(node.options)
        assert node.credentials == made.nodes[0].credentials


def test_a_word_may_be_for_one_node_only() -> None:
    wish = Wish(nodes=2, options=("hepto.debug=no-kube", "two:hepto.mesh-port=7000", "hepto.api-names=a:b"))

    one, two = lab(wish, QEMU, None).nodes

    assert "hepto.mesh-port=7000" in two.options
    assert not any("mesh-port" in word for word in one.options)
    assert "hepto.debug=lab,no-kube" in one.options
    assert {"hepto.debug=lab,no-kube", "hepto.api-names=a:b"} <= set(two.options)


def test_a_user_s_anchor_wins() -> None:
    _, two = lab(Wish(nodes=2, options=("two:hepto.anchor=::1",)), QEMU, None).nodes

    assert [word for word in two.options if "anchor" in word] == ["hepto.anchor=::1"]


def test_nodes_without_kubernetes_are_small_and_what_is_given_wins() -> None:
    light = Wish(nodes=2, options=("hepto.debug=no-kube",))

    assert [node.memory for node in lab(light, QEMU, None).nodes] == [512, 512]
    assert [node.memory for node in lab(replace(light, memory=700, cpus=2), QEMU, None).nodes] == [700, 700]
    assert [node.cpus for node in lab(replace(light, memory=700, cpus=2), QEMU, None).nodes] == [2, 2]


def test_only_the_first_node_gets_the_disk_that_is_given() -> None:
    assert [node.disk_from for node in lab(Wish(nodes=2, disk_from="/disk"), QEMU, None).nodes] == ["/disk", ""]


def test_machines_have_a_watchdog_only_if_it_is_wished() -> None:
    assert [node.watchdog for node in lab(Wish(nodes=2, watchdog=True), QEMU, "00").nodes] == [True, True]
    assert not lab(Wish(), QEMU, "00").nodes[0].watchdog


@pytest.mark.parametrize(
    ("form", "more"),
    [
        ("netboot", ()),
        ("disk", ("disk.raw",)),
        ("uki", ("hepto.efi",)),
        ("iso", ("hepto.iso",)),
        ("usb", ("hepto.iso",)),
    ],
)
def test_machines_are_started_from_the_format_that_is_wished(form: str, more: tuple[str, ...]) -> None:
    made = lab(Wish(nodes=2, format=form), replace(QEMU, firmware="/ovmf"), "00")

    assert [(node.format, node.uefi) for node in made.nodes] == [(form, form != "netboot")] * 2
    assert files(form) == (*FILES, *more)


def test_without_firmware_only_qemu_itself_can_start_a_machine() -> None:
    with pytest.raises(UserError, match="OVMF"):
        lab(Wish(format="disk"), QEMU, "00")


def test_without_a_key_there_is_no_credential() -> None:
    assert lab(Wish(), QEMU, None).nodes[0].credentials == ()


def test_an_operator_s_key_is_a_credential_because_it_has_blanks() -> None:
    made = lab(Wish(nodes=2, admin="ssh-ed25519 AAAA me"), QEMU, None)

    assert [node.credentials for node in made.nodes] == [(("hepto.admin", "ssh-ed25519 AAAA me"),)] * 2


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
        Wish(nodes=13),
        Wish(node="two", nodes=2),
        Wish(nodes=2, options=("three:x=y",)),
    ],
    ids=[
        *("upper-case", "path", "reserved", "long", "memory", "command-line"),
        *("too-many", "same-name", "unknown-node"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(wish: Wish) -> None:
    with pytest.raises(UserError) as caught:
        lab(wish, QEMU, None)

    assert caught.value.code is ExitCode.USAGE
