"""The chart of a boot: what PID 1 and the agent have said of it (hepto/chart/boot.py) as a picture or as text. Pure."""
