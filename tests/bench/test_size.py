from pathlib import Path

from bench import size


def test_the_third_number_of_a_disk_s_statistics_counts_sectors_read() -> None:
    assert size.sectors_read("     312      87    35824      191        0        0 0 0 0 0\n") == 35824


def test_the_changed_file_and_all_sources_are_there() -> None:
    root = Path(size.__file__).parents[1]

    assert all((root / name).exists() for name in (*size.SOURCES, size.CHANGED))
