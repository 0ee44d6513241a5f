import stat

from hypothesis import given
from hypothesis import strategies as st

from image import account, initrd
from image.account import Row, finished, initrd_rows, part_of, root_rows, stage0_owner, whole
from image.erofs import File


def file(path: str, size: int, stored: int, number: int) -> File:
    return File(path, stat.S_IFREG | 0o644, size, stored, 1, number, overhead=32)


def test_files_are_summed_by_package_and_hard_links_count_once() -> None:
    files = [file("a", 10, 4, 1), file("b", 20, 4, 2), file("c", 100, 50, 3), file("same-as-c", 100, 50, 3)]
    files.append(File("", stat.S_IFDIR | 0o755, 90, 90, 2, 4, overhead=32))

    found = root_rows("root.erofs", 4096, files, lambda path: "one" if path in "ab" else "hepto")

    assert found == [
        Row("root.erofs", "other packages", "one", "", "", 30, 8),
        Row("root.erofs", "hepto", "hepto", "", "", 100, 50),
        Row("root.erofs", "metadata", "inodes, indexes, directories", "", "", 0, 4 * 32 + 90),
        Row("root.erofs", "remainder", "headers, padding", "", "", 0, 4096 - 8 - 50 - 4 * 32 - 90),
    ]


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 3000)), max_size=20), st.integers(200_000, 300_000))
def test_rows_sum_to_the_size_of_the_file(sizes: list[tuple[int, int]], total: int) -> None:
    files = [file(f"{number}", *size, number) for number, size in enumerate(sizes)]

    assert sum(row.compressed for row in root_rows("r", total, files, lambda path: path[-1])) == total


def test_stage_0_is_divided_like_the_root() -> None:
    entries = [
        initrd.file("bin/busybox", b"12345"),
        initrd.file("modules/erofs.ko", b"123"),
        initrd.file("init", b"1"),
        initrd.directory("proc"),
    ]
    owner = stage0_owner({"usr/bin/busybox": "busybox-static"}, "6.12")

    assert initrd_rows("initrd.cpio", 512, entries, owner) == [
        Row("initrd.cpio", "other packages", "busybox-static", "", "", 5, 5),
        Row("initrd.cpio", "kernel modules", "linux-image-6.12", "stage 0", "", 3, 3),
        Row("initrd.cpio", "hepto", "hepto", "", "", 1, 1),
        Row("initrd.cpio", "remainder", "headers, padding", "", "", 0, 503),
    ]


def test_packages_belong_to_parts() -> None:
    packages = (
        "stack",
        "hepto",
        "python3-h11",
        "libpython3.13-stdlib",
        "linux-image-6.12",
        "libc6",
        "container images",
    )

    assert [part_of(package) for package in packages] == [
        *(account.STACK, account.OURS, account.PYTHON, account.PYTHON, account.MODULES),
        *(account.PACKAGES, account.IMAGES),
    ]


def test_the_largest_come_first_and_have_their_versions() -> None:
    rows = [*whole("vmlinuz", 5, account.KERNEL, "linux"), Row("root.erofs", "hepto", "hepto", "", "", 9, 7)]

    assert finished(rows, {"linux": "6.12"}) == [rows[1], rows[0]._replace(version="6.12")]


def test_large_packages_are_told_in_pieces() -> None:
    path = "usr/lib/modules/6.12/kernel/drivers/net/ethernet/intel/e1000.ko"

    assert account.piece_of(path, "linux-image-6.12") == "drivers/net"
    assert account.piece_of("usr/lib/modules/6.12/kernel/crypto/xor.ko", "linux-image-6.12") == "crypto"
    assert account.piece_of("usr/lib/modules/6.12/modules.dep", "linux-image-6.12") == ""
    assert account.piece_of("usr/lib/cni/ptp", "stack") == "ptp"
    assert account.piece_of("usr/bin/crun", "crun") == ""
