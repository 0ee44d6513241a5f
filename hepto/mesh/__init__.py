"""The mesh: one WireGuard interface `wg0` that carries the node address, and a peer for each other node.

    plan.py     the wanted link, address and routes, and the differences to what there is; pure
    roster.py   who is a peer: claims that contradict nobody's; pure
    link.py     one peer between two dumps: is it heard, which endpoint is next; pure
    mtu.py      how large a packet each peer's path carries; a core
    inbound.py  whether keepalives are needed; pure
    machine.py  decides from a dump and the wish; a core
    driver.py   makes it so, and keeps the key

Peers come from verified grants alone (`hepto.node` knows them); a node alone has the interface, its address and the
routes already, so that nothing of Kubernetes has to know whether there are others. The rules that nobody may break
(trust.md section 2, contract.md section 5):

    absence is not knowing       only a revoked key, or another key for the same name, removes a peer
    the kernel roams             no endpoint is written within 180 s of a handshake
    no tunnel in a tunnel        no endpoint lies inside the cluster's /48
    differences only             a new agent beside an unchanged mesh writes nothing
"""
