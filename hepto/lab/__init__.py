"""Clusters of virtual machines on a private IPv6-only network of this machine, for trying and testing hepto.

Theory. One lab is one *holder* process. It is PID 1 of its own process, mount and network namespaces (and of a user
namespace when the user is not root), so the kernel ends every QEMU, the router and the network together with it,
whatever way it ends. Outside waits a small *keeper* that owns the lab's lock and removes its state directory when the
holder is gone. While `hepto lab up` has not said "keep", a leash (a socket pair) ties the holder to it: a command
that is killed half-way leaves nothing.

    hepto lab …  --holder.sock-->  holder (PID 1 of the lab)  --virtio-serial-->  PID 1's `lab` service in each node
                                     |- bridge lab0, router fe80::1: advertisements, DNS       (router, network)
                                     |- one QEMU a node: tap, QMP, console, channel            (vm, qemu)
                                     '- outside: a host behind the router, in its own network  (outside)

Pure: spec, plan, qemu, advertise, names, channel, qmp, readiness. Everything else does I/O. There is no IPv4 address
anywhere, no secret in any argv or environment, and nothing on the machine outside the state directory changes.
"""
