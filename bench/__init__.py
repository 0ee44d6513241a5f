"""Measurements: each module here is one headline figure, printed as a ratio against a baseline of the same run.

`make bench-NAME` runs bench/NAME.py; every raw row is kept in build/bench/NAME.csv. A target that is missed is printed
as missed. None of this is a test: machines differ, ratios of one run do not lie as easily.
"""
