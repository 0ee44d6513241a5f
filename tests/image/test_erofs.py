import pytest

from image.erofs import Image, index_size


def test_what_is_no_erofs_is_refused() -> None:
    with pytest.raises(ValueError, match="no EROFS"):
        Image(bytes(4096))
    with pytest.raises(ValueError, match="no EROFS"):
        Image(b"short")


def test_a_compact_index_is_as_long_as_the_kernel_s_zmap_c_says() -> None:
    # From 8 bytes after an alignment of 32: 6 clusters of 4 bytes, then 16 or 32 of 2, then the rest of 4, in pairs.
    assert index_size(8, 6, two_bytes=True) == 24
    assert index_size(8, 6 + 16 + 15, two_bytes=True) == 24 + 32 + 64
    assert index_size(32, 32 + 1, two_bytes=True) == 64 + 8
    assert index_size(32, 32 + 1, two_bytes=False) == 17 * 8
    assert index_size(0, 0, two_bytes=True) == 0
