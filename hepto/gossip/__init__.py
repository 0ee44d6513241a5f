"""Membership by gossip: SWIM with Lifeguard on memberlist's wire. Who is said to be where; never who may be trusted.

A node probes one member each interval; a member that does not answer, nor through others, is suspected, and the
suspicion spreads; if it does not refute, it is dead. News travels on the probes and in a few gossip packets a second,
each item a limited number of times; now and then two nodes exchange their whole views (push/pull), which heals what
was lost. An incarnation, raised only by the member itself, orders what is said about it. The rules of merging are in
members.py, the timing in profile.py and suspicion.py, the wire in packet.py and stream.py.

Everything but driver.py is a core: bytes in, bytes out, no clock, no dice (hepto/machine.py). What comes out of it is a
`Claim` (model.py). Sources: memberlist-wire.md for the wire; Das, Gupta, Motivala (SWIM, 2002) and Dadgar, Phillips,
Currey (Lifeguard, 2017) for the protocol.
"""
