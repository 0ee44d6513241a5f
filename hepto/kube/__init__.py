"""Kubernetes on one node: parameters -> files and services, the probes of their readiness, and the bootstrap objects.

`parameters` is the one input. Each service has a module that renders its configuration and its service file; `files`
holds the types of the result; `health` says how the agent finds out that a service is ready; `objects` is what a
cluster is born with. All pure; `driver` writes, asks and applies.

Order is readiness, never luck: etcd -> apiserver -> controller-manager, scheduler, coredns; containerd -> kubelet;
kubelet (with its Node object and address) -> kube-proxy.
"""
