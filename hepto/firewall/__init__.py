"""Table `inet hepto`: what the underlay may reach, what pods may reach, what may leave (contract.md section 5).

    ruleset.py  Policy -> the transaction for nft, pure
    driver.py   puts it in force

The chains, in the order in which a packet meets them; no table of kube-proxy or of a network plugin is touched:

    guard    prerouting, before connection tracking   nothing of the cluster's /48 comes in from the underlay; no IPv4;
                                                      a pod's source lies in the node's own /112
    input    to a socket of this host                 from the underlay: hepto's ports, `open`, ICMPv6 of RFC 4890, what
                                                      was translated; from pods: no gossip, node API, WireGuard, etcd
    forward  to and from pods                         from the underlay only what is established or translated; TCP
                                                      through the mesh opens with segments that the route carries
    leave    source translation                       what leaves the /48 through the underlay is masqueraded
    last     postrouting, after all translation       nothing of the /48 leaves through the underlay
"""
