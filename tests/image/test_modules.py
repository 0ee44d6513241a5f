from image.modules import SIGNATURE_MARK, kept, load_order, name_of, parse_dependencies, without_signature

# As depmod writes it: nearest dependency first.
TEXT = """\
kernel/fs/erofs/erofs.ko.xz: kernel/fs/netfs/netfs.ko.xz kernel/lib/libcrc32c.ko.xz
kernel/fs/netfs/netfs.ko.xz: kernel/lib/libcrc32c.ko.xz
kernel/lib/libcrc32c.ko.xz:
kernel/drivers/block/virtio_blk.ko.xz:
kernel/drivers/comedi/comedi.ko.xz:
kernel/drivers/comedi/needed.ko.xz:
kernel/drivers/net/user.ko.xz: kernel/drivers/comedi/needed.ko.xz
"""
TABLE = parse_dependencies(TEXT)


def test_names_have_no_folder_suffix_or_dash() -> None:
    assert name_of("kernel/drivers/char/hw_random/virtio-rng.ko.xz") == "virtio_rng"
    assert name_of("kernel/fs/erofs/erofs.ko") == "erofs"


def test_dropped_modules_go_unless_a_kept_one_needs_them() -> None:
    stay = kept(TABLE, ["drivers/comedi/*"])

    assert "kernel/drivers/comedi/comedi.ko.xz" not in stay
    assert "kernel/drivers/comedi/needed.ko.xz" in stay


def test_modules_load_after_what_they_need_and_once() -> None:
    order = load_order(TABLE, ["virtio_blk", "erofs", "netfs"])

    assert [name_of(path) for path in order] == ["virtio_blk", "libcrc32c", "netfs", "erofs"]


def test_what_is_built_into_the_kernel_is_not_loaded() -> None:
    assert load_order(TABLE, ["virtio_pci"]) == []


def test_a_signature_is_cut_off_and_nothing_else() -> None:
    # PKCS#7 (id type 2), no names, a signature of five bytes.
    signed = b"module" + b"12345" + bytes([0, 0, 2, 0, 0, 0, 0, 0]) + (5).to_bytes(4, "big") + SIGNATURE_MARK

    assert without_signature(signed) == b"module"
    assert without_signature(b"module") == b"module"
