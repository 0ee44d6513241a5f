"""The mesh: one WireGuard interface `wg0` that carries the node address (contract.md sections 4 and 5).

    plan.py    the wanted link, address and routes, pure
    driver.py  makes them so, and keeps the key

Peers come with joining; a node alone has the interface, its address and the routes already, so that nothing of
Kubernetes has to know whether there are others.
"""
