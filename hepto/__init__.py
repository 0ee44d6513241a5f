"""hepto: an image builder and a node agent for IPv6-only Kubernetes clusters that find together by themselves."""
