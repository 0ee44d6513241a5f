"""A node as a container on a Linux host (`hepto start`): the image's root and PID 1 in namespaces of their own.

    command --plan over a pipe--> keeper --clone--> PID 1 of the container, from the image's root
                                    '- console, the API's relay on [::1], the node's end

The keeper lives as long as the node, in a control group beside the node's. What it makes goes by itself when it is
killed: PID 1 dies with it, and with PID 1 the namespaces, the interface, the mounts, the loop device. What is left then
(a directory below /run, control groups, six sysctls) the next command sweeps. Nothing of the node's is in the host's
own namespaces; of the host the node sees its own data directory, and the kernel.
"""
