"""Faults at every call of PID 1 and of the agent, one after another, and what still has to hold after each.

    sites.py      every call expression of init/ and of the agent's drivers, by the syntax tree; what each raises
    injector.py   in the process under test: raises at a call or line, or notes which calls are reached
    scene.py      a booted machine with services, and the checks after each fault: same processes, none twice
    numbered.py   lines that a service writes, and whether all have come into its log
    stories.py    what happens while a fault waits: deaths, service files, orders, re-exec, bad input
    campaign.py   finds out which story reaches which call, then makes one call after another raise
    agent_*.py    the same with the production agent as a service: a node without its Kubernetes
    kills.py      kill -9 of each service at random instants

A site is a call, named by its end in the source: every call ends with a parenthesis of its own. The exception is raised
instead of the call. What a namespace cannot reach (block devices, modules, firmware) is listed as not reached.
"""
