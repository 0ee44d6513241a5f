"""The node's clock: never before what is known to be past, set by NTP, without NTP by what the cluster agrees on.

floor.py    the instants before which it cannot be, and whether a time is plausible; pure
agree.py    what several peers' times say together; pure
times.py    a node's time as peers ask for it and answer; pure
model.py    events and effects of the machine
machine.py  decides: when to step, how far the time is to be trusted, what to save, when the mesh key is of no more use
chrony.py   chronyd's configuration and service; pure
driver.py   reads and sets the clock

chronyd and the machine never pull against each other: the machine steps only while chronyd has no time, and chronyd,
which may step at any update, has the last word from its first one on. (To chronyd a step of the machine's comes from
outside: it drops what it has measured and measures anew, which iburst does in seconds.) After that the machine only
undoes steps that chronyd does not own up to.
"""
