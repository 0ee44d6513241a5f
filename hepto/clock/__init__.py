"""The node's clock: never before what is known to be past, then set by NTP.

floor.py   the instants before which it cannot be, and whether a time is plausible; pure
chrony.py  chronyd's configuration and service; pure
driver.py  reads and sets the clock
"""
