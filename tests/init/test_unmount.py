"""What is unmounted at a machine's end, and in which order."""

from init.unmount import targets

MOUNTINFO = """\
22 1 0:20 / / ro,relatime shared:1 - erofs /dev/vda ro
23 22 0:21 / /proc rw shared:2 - proc proc rw
24 22 0:5 / /dev rw shared:3 - devtmpfs devtmpfs rw
25 22 0:22 / /run rw shared:4 - tmpfs tmpfs rw
26 22 254:16 / /var/lib/hepto rw shared:5 - ext4 /dev/vdb rw
27 22 254:16 /demo/one/kubelet /var/lib/kubelet rw shared:5 - ext4 /dev/vdb rw
28 27 0:40 / /var/lib/kubelet/pods/a\\040b/volumes rw - tmpfs tmpfs rw
29 25 0:41 / /run/containerd/x/rootfs rw - overlay overlay rw
30 22 0:42 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
31 25 0:4 net:[1] /run/netns/cni-1 rw - nsfs nsfs rw
"""


def test_what_was_mounted_last_goes_first_and_what_is_in_memory_stays_unless_it_holds_another() -> None:
    assert targets(MOUNTINFO) == (
        "/run/netns/cni-1",
        "/run/containerd/x/rootfs",
        "/var/lib/kubelet/pods/a b/volumes",
        "/var/lib/kubelet",
        "/var/lib/hepto",
    )


def test_an_escaped_name_is_read() -> None:
    assert targets("28 27 8:1 / /mnt/a\\040b rw - ext4 /dev/vdb rw\n") == ("/mnt/a b",)


def test_broken_lines_are_passed_over() -> None:
    assert targets("\n1 2\nx y z / /mnt rw\n") == ()
