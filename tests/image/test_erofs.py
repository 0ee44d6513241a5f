import pytest

from image.erofs import Image


def test_what_is_no_erofs_is_refused() -> None:
    with pytest.raises(ValueError, match="no EROFS"):
        Image(bytes(4096))
    with pytest.raises(ValueError, match="no EROFS"):
        Image(b"short")
