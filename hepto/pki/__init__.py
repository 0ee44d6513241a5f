"""Keys and certificates of a cluster (trust.md sections 1 and 4).

`profiles` is the table, `issue` signs by it, `verify` says whether a certificate is what the table wants and when it is
due, `store` names the files and renders them: all pure. `driver` makes keys, reads the clock it is given and writes.
"""
