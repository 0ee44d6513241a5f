"""The node agent: decides what there is to supervise, and says what is up and what is waited for.

    agent.py       the program: wires the drivers in one TaskGroup
    facts.py       everything that is known, each fact unknown, absent or present
    desired.py     configuration and facts -> files and services; pure
    status.py      facts -> what is up, and the one thing that is waited for; pure
    state.py       what a node remembers over a reboot
    identity.py    the node's name and directory, from what the machine says
    writer.py      makes files and service files what desired.py wants
    supervisor.py  the line to PID 1
    probes.py      asks services whether they are ready
    answers.py     the agent's own socket

Every arrow is level-triggered: on any change the plan is made again from current facts, and a fact that is unknown
changes nothing. So a reboot, a changed prefix and a restarted agent are the same code path as the first boot.
"""
