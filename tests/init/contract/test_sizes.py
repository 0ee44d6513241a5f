import pytest

from init.contract.sizes import human

GIB = 1024**3


@pytest.mark.parametrize(
    ("size", "text"), [(512, "512 B"), (1536, "1.5 KiB"), (20 * GIB, "20.0 GiB"), (5000 * GIB, "4.9 TiB")]
)
def test_sizes_are_readable(size: int, text: str) -> None:
    assert human(size) == text
