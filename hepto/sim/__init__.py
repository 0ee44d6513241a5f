"""A simulated cluster: the production gossip core of every node, under a virtual clock, on a network that misbehaves.

What is simulated is only the world: time (clock.py), the network (network.py, streams.py), machines that stop, starve,
lose power or move (cluster.py, told by faults.py). What runs on it is hepto.gossip as a node runs it, so what a seed
shows is what a cluster would do. Nothing waits and nothing is random but by the seed: a run is repeated by its command.

A run is a `Plan` (plan.py); `simulation.run` makes an `Outcome` of it; report.py and svg.py show that to people.
"""
