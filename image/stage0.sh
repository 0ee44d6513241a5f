#!/bin/busybox sh
# shellcheck shell=dash
# Stage 0: finds the root file system, mounts it read-only and hands over to PID 1, which does everything else.
# Of the kernel command line it knows root=, rootwait= (seconds), panic= and hepto.debug=console (a shell on failure).
# Every process costs boot time: once /proc is there the shell finds commands in itself, and disks are tried by mounting.
root='' debug='' seconds=10 panic=0

# What is wrong, what to do; then as a panic would: stop, or reboot after a while, or at once. The lines stay the last ones.
fail() {
    echo "hepto: $1"
    echo "hepto: $2"
    case ",$debug," in *,console,*) exec sh ;; esac
    while [ "$panic" = 0 ]; do sleep 3600; done
    [ "$panic" -gt 0 ] && sleep "$panic"
    reboot -f
}

# An EROFS that hepto made; anything else is let go of, untouched.
mount_root() {
    for disk in ${root:-/dev/vd? /dev/sd? /dev/nvme?n? /dev/xvd?}; do
        if [ -b "$disk" ] && mount -t erofs -o ro "$disk" /root 2>/dev/null; then
            [ -e /root/usr/lib/hepto/image.json ] && return
            umount /root
        fi
    done
    false
}

if ! { /bin/busybox mount -t proc proc /proc && mount -t devtmpfs -o nosuid,mode=755 devtmpfs /dev; }; then
    fail "the kernel's file systems cannot be mounted" "boot the vmlinuz of the same build, which has proc and devtmpfs"
fi
read -r line </proc/cmdline
for word in $line; do
    case $word in
        root=*) root=${word#root=} ;;
        rootwait=*) seconds=${word#rootwait=} ;;
        panic=*) panic=${word#panic=} ;;
        hepto.debug=*) debug=${word#hepto.debug=} ;;
    esac
done
case $root in '' | /dev/*) ;; *) fail "root=$root is not understood" "give a device, root=/dev/vda, or leave root= out" ;; esac
while read -r module; do
    insmod "/modules/$module" ||
        fail "the kernel refused its module $module" "boot vmlinuz and initrd.cpio of the same build, without Secure Boot"
done </modules/order
tries=0
until mount_root; do
    tries=$((tries + 1))
    if [ $tries -gt $((seconds * 10)) ]; then
        disks=$(awk 'NR > 2 { printf " %s", $4 }' /proc/partitions)
        fail "no root file system of hepto on ${root:-any disk} after $seconds s; disks:${disks:- none}" \
            "attach root.erofs of this build as a disk (or name it with root=)"
    fi
    usleep 100000
done
if [ -d /run/credentials ]; then
    mount -t tmpfs -o mode=755,nosuid,nodev run /root/run && cp -a /run/credentials /root/run/
fi
# PID 1 needs /dev/console from its first breath; it mounts the rest itself.
if ! { mount --move /dev /root/dev && umount /proc; }; then
    fail "the root's /dev cannot be used" "write root.erofs of this build to $disk again"
fi
# An empty environment and fixed arguments: words of the command line must not reach Python.
exec env -i PATH=/usr/sbin:/usr/bin TERM=linux \
    /bin/busybox switch_root /root /usr/bin/python3 -I -S /usr/lib/hepto/pid1
