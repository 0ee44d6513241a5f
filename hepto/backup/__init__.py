"""Backups of a master: one file that makes the same cluster again on another machine.

    etcd's snapshot, keys and registers -> tar with a manifest of digests (archive) -> encrypted (age) -> a file
    a file -> age -> archive, verified as it is read -> a new data directory, etcd's part of it made anew (etcd)

`age.py` is the format of https://c2sp.org/age, so that the `age` program opens a backup as well; `bolt.py` reads etcd's
database, `etcd.py` writes the log that etcd begins with, `copies.py` says which nodes keep copies of the file, and what
a copy has to be. All cores; `driver.py` touches the world.
"""
