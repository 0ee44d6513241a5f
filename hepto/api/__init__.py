"""The node API: how nodes join, renew and are operated, over HTTPS on the underlay (trust.md sections 3, 4, 6 and 7).

    joining node -> any member -(blind relay)-> master        /v1/hello, /v1/join, /v1/renew
    operator     -> any member -(blind relay)-> any member    /v1/operator

Who may do what is decided by the callables that are handed in (hepto/pki); here are sockets, bounds and named reasons.
Nobody who has not proved the gossip key is given a byte beyond the TLS handshake.
"""
