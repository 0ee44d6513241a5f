"""Who belongs to a cluster, and its keys and certificates (trust.md).

Certificates (sections 1 and 4): `profiles` is the table, `issue` signs by it, `verify` says whether a certificate is
what the table wants and when it is due, `store` names the files and renders them.

Membership (sections 2 and 3): `grant`, `endpoint` and `revocations` are what travels by gossip; `join` are the messages
of a join and of a renewal, `joiner` and `signer` their two sides, `admission` the rules by which the signer changes its
`register`. Operators (section 6): `operator` are their orders, `sshsig` how they are signed.

All of that is pure: `fields` says what is signed, `reasons` why something is not believed. `driver` makes keys, reads
the clock it is given and writes.
"""
