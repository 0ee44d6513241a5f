import math

from bench import gossip_processes


def test_processor_time_is_found_behind_a_name_with_blanks_and_brackets() -> None:
    stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 12 34 5 6 20 0 1 0 777 1000 200"

    assert gossip_processes.cpu_ticks(stat) == 46


def test_memory_is_the_line_pss_and_no_other() -> None:
    rollup = "00400000-7fff0000 ---p 00000000 00:00 0  [rollup]\nRss:   9000 kB\nPss:   6144 kB\nPss_Dirty:  100 kB\n"

    assert gossip_processes.proportional_kibibytes(rollup) == 6144
    assert gossip_processes.proportional_kibibytes("") == 0


def test_growth_counts_only_those_that_were_there_throughout() -> None:
    assert gossip_processes.mean_growth({1: 1.0, 2: 5.0}, {1: 3.0, 3: 99.0}) == 2.0
    assert math.isnan(gossip_processes.mean_growth({1: 1.0}, {2: 2.0}))
