"""The node's underlay: one interface, configured by router advertisements or by hand.

    advertisement.py  bytes of a router advertisement -> Advertisement, or PeerError
    solicit.py        the solicitation as bytes
    machine.py        links, addresses, routes and advertisements -> what to do, what there is, what is waited for
    driver.py         netlink, raw socket, sysctls

The kernel does stateless address configuration, the default route and the link's MTU; hepto turns it on (before it
turns forwarding on), asks for advertisements, reads out of them what the kernel does not (resolvers, search domains,
PREF64), and says in one line what is missing: interface, carrier, router, address.
"""
