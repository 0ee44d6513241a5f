"""What ukify is told, and what the command lines say."""

from image import uki


def test_the_disk_s_uki_names_the_root_that_it_starts() -> None:
    assert uki.disk_words("ab" * 32) == (f"roothash={'ab' * 32}", "console=tty0", "console=ttyS0", "quiet")


def test_a_medium_verifies_its_root_and_leaves_the_machine_alone() -> None:
    words = uki.medium_words("ab", "hepto-ab")

    assert {"roothash=ab", "root=LABEL=hepto-ab", "hepto.data-disk=memory", "init.install"} <= set(words)


def test_a_root_in_the_initramfs_needs_ramfs() -> None:
    assert uki.file_words()[0] == "rootfstype=ramfs"
    assert not any(word.startswith("root") and "hash" in word for word in uki.file_words())


def test_ukify_gets_initrds_in_their_order() -> None:
    words = uki.ukify(
        kernel="/k", release="6", version="1", stub="/s", initrds=("/a", "/b"), words=("x", "y=z"), output="/o"
    )

    assert words[:2] == ("ukify", "build")
    assert [word for word in words if word.startswith("--initrd=")] == ["--initrd=/a", "--initrd=/b"]
    assert "--cmdline=x y=z" in words


def test_the_name_leaves_room_for_a_count_of_tries() -> None:
    assert uki.file_name("1.2") == "hepto_1.2.efi"


def test_os_release_is_lines_of_assignments() -> None:
    lines = uki.os_release("1.2").splitlines()

    assert all("=" in line for line in lines)
    assert {"ID=hepto", "IMAGE_VERSION=1.2"} <= set(lines)
