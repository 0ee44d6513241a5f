#!/bin/busybox sh
# shellcheck shell=busybox
# Stage 0: finds the root file system, mounts it read-only and hands over to PID 1, which does everything else.
# Of the kernel command line it knows root= (a device, or LABEL= of an installation medium), roothash= (dm-verity),
# rootwait= (seconds), panic= and hepto.debug=console (a shell on failure). A root in the initramfs itself (/root.erofs)
# comes before any disk.
# Every process costs boot time: once /proc is there the shell finds commands in itself, and disks are tried by mounting.
root='' roothash='' debug='' seconds=10 panic=0 medium='' what='the disk image'

# What is wrong, what to do; then as a panic would: stop, or reboot after a while, or at once. The lines stay the last ones.
fail() {
    echo "hepto: $1"
    echo "hepto: $2"
    case ",$debug," in *,console,*) exec sh ;; esac
    while [ "$panic" = 0 ]; do sleep 3600; done
    [ "$panic" -gt 0 ] && sleep "$panic"
    reboot -f
}

# It stays damaged: a machine that boots for ever tells nobody.
damaged() {
    panic=0
    fail "the root file system on $disk is damaged: it is not what the UKI's roothash=$roothash names" \
        "write $what of that build to the disk again; the kernel's message above names the first bad block"
}

# An EROFS that hepto made; anything else is let go of, untouched.
mount_root() {
    if [ -f /root.erofs ]; then
        disk="the initramfs"
        # busybox mounts a file by a loop device, which reads the very pages that the initramfs has: none is there twice.
        [ -b /dev/loop0 ] || insmod /modules/loop.ko
        mount -t erofs -o ro /root.erofs /root
        return
    fi
    for disk in ${root:-/dev/vd? /dev/sd? /dev/nvme?n? /dev/xvd?}; do
        if [ -b "$disk" ] && mount -t erofs -o ro "$disk" /root 2>/dev/null; then
            [ -e /root/usr/lib/hepto/image.json ] && return
            umount /root
        fi
    done
    false
}

# There is no udev: modprobe finds the drivers of the disks that are here.
load_drivers() {
    # shellcheck disable=SC2046 # one alias a word
    modprobe -aq sha256_ssse3 $(sort -u /sys/bus/*/devices/*/modalias 2>/dev/null) 2>/dev/null
}

# The partitions of a verified root: their identifiers are the two halves of the root hash (Discoverable Partitions
# Specification; systemd-repart makes them so).
find_verified() {
    load_drivers
    disk=$(/usr/sbin/findfs "PARTUUID=$(identifier "${roothash:0:32}")" 2>/dev/null) &&
        tree=$(/usr/sbin/findfs "PARTUUID=$(identifier "${roothash:32}")" 2>/dev/null) && data=$disk
}

# An installation medium, a CD or a stick: root and hashes are files of its ISO 9660 file system, without the zeros that
# the partition of a disk has behind the root.
find_medium() {
    load_drivers
    disk=$(/usr/sbin/findfs "$medium" 2>/dev/null) || return 1
    mount -t iso9660 -o ro "$disk" /medium 2>/dev/null || return 1
    { losetup -r /dev/loop0 /medium/hepto/root.erofs && losetup -r /dev/loop1 /medium/hepto/root.verity; } || damaged
    tree=/dev/loop1 data=/dev/dm-0
    read -r there </sys/block/loop0/size
    { echo "0 $there linear /dev/loop0 0" && echo "$there $(($(blocks) * 8 - there)) zero"; } |
        /usr/sbin/dmsetup create medium --readonly --noudevsync >/dev/null || damaged
}

identifier() {
    echo "${1:0:8}-${1:8:4}-${1:12:4}-${1:16:4}-${1:20}"
}

# Offsets of struct verity_sb (cryptsetup, lib/verity/verity.c): the number of blocks; below, the salt of 32 bytes.
blocks() {
    hexdump -v -s 72 -n 4 -e '1/4 "%u"' "$tree"
}

# The kernel verifies each block when it is first read. PID 1 cannot say that it cannot be read, so it is tried here.
mount_verified() {
    salt=$(hexdump -v -s 88 -n 32 -e '32/1 "%02x"' "$tree")
    # With another slot to go back to, the machine is to start again.
    slots=$(grep -h '^PARTNAME=hepto_' "/sys/class/block/${disk##*/}/.."/*/uevent | grep -vc '_verity$')
    options=''
    [ "$slots" -gt 1 ] && options=' 1 restart_on_corruption'
    table="verity 1 $data $tree 4096 4096 $(blocks) 1 sha256 $roothash $salt$options"
    /usr/sbin/dmsetup create root --readonly --noudevsync --table "0 $(($(blocks) * 8)) $table" >/dev/null || damaged
    { mount -t erofs -o ro "$device" /root && chroot /root /usr/bin/python3 -I -S /usr/lib/hepto/pid1 check; } || damaged
}

if ! { /bin/busybox mount -t proc proc /proc && mount -t devtmpfs -o nosuid,mode=755 devtmpfs /dev; }; then
    fail "the kernel's file systems cannot be mounted" "boot the vmlinuz of the same build, which has proc and devtmpfs"
fi
read -r line </proc/cmdline
for word in $line; do
    case $word in
        root=*) root=${word#root=} ;;
        roothash=*) roothash=${word#roothash=} ;;
        rootwait=*) seconds=${word#rootwait=} ;;
        panic=*) panic=${word#panic=} ;;
        hepto.debug=*) debug=${word#hepto.debug=} ;;
    esac
done
case $root in
    '' | /dev/*) ;;
    LABEL=*) medium=$root ;;
    *) fail "root=$root is not understood" "give a device, root=/dev/vda, or leave root= out" ;;
esac
while read -r module; do
    insmod "/modules/$module" ||
        fail "the kernel refused its module $module" "boot vmlinuz and initrd.cpio of the same build, without Secure Boot"
done </modules/order
wanted="root file system of hepto on ${root:-any disk}" find=mount_root
if [ -n "$roothash" ]; then
    case $roothash in *[!0-9a-f]*) fail "roothash=$roothash is no SHA-256" "boot the UKI as it was built" ;; esac
    [ -x /usr/sbin/dmsetup ] || fail "roothash= is given, and this initrd cannot verify" "boot the UKI of the build"
    mount -t sysfs sysfs /sys
    wanted="partition of this build (roothash=$roothash) on any disk" find=find_verified device=/dev/dm-0
    if [ -n "$medium" ]; then
        device=/dev/dm-1
        wanted="installation medium of this build ($medium)" what="the ISO image" find=find_medium
    fi
fi
tries=0
until $find; do
    tries=$((tries + 1))
    if [ $tries -gt $((seconds * 10)) ]; then
        disks=$(awk 'NR > 2 { printf " %s", $4 }' /proc/partitions)
        fail "no $wanted after $seconds s; disks:${disks:- none}" \
            "attach root.erofs of this build as a disk (or name it with root=); a UKI needs its own build's disk image or ISO"
    fi
    usleep 100000
done
if [ -n "$roothash" ]; then
    mount_verified
    umount /sys
fi
# What systemd-stub has found beside the UKI and in loader/credentials of its ESP (systemd-stub(7)).
set -- /.extra/global_credentials/*.cred /.extra/credentials/*.cred
[ -e "$1" ] || shift
if [ -d /run/credentials ] || [ -e "$1" ] || [ -n "$medium" ]; then
    mount -t tmpfs -o mode=755,nosuid,nodev run /root/run
    [ -d /run/credentials ] && cp -a /run/credentials /root/run/
    for file in "$@"; do
        [ -e "$file" ] && mkdir -p /root/run/credentials/esp && cp -p "$file" /root/run/credentials/esp/
    done
    # `hepto install` takes what it writes from there.
    [ -n "$medium" ] && mkdir -p /root/run/hepto/medium && mount --move /medium /root/run/hepto/medium
fi
# PID 1 needs /dev/console from its first breath; it mounts the rest itself.
if ! { mount --move /dev /root/dev && umount /proc; }; then
    fail "the root's /dev cannot be used" "write root.erofs of this build to $disk again"
fi
# An empty environment and fixed arguments: words of the command line must not reach Python.
exec env -i PATH=/usr/sbin:/usr/bin TERM=linux \
    /bin/busybox switch_root /root /usr/bin/python3 -I -S /usr/lib/hepto/pid1
