#!/bin/busybox sh
# The first process of the guest: builds its root from what the host shares over 9p, then gives way to agent.sh.
# Shares come in /shares.list, one a line: TAG MODE PATH; modules to load first in /modules.list.
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
die() {
	echo "guest: $*"
	$B poweroff -f
}
while read -r m; do $B insmod "/m/$m.ko" || die "cannot load $m"; done </modules.list

share() { # TAG MODE PATH
	cache=none
	[ "$2" = ro ] && cache=loose,ro
	$B mkdir -p "$3"
	$B mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,cache=$cache" "$1" "$3" || die "cannot mount $3"
}

share root ro /lower
$B mount -t tmpfs -o size=70% rw /rw
$B mkdir /rw/upper /rw/work
$B mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work overlay /new || die "cannot mount the root"
N=/new
$B mkdir -p $N/proc $N/sys $N/dev $N/run $N/tmp
for at in proc sys dev; do $B mount --move /$at $N/$at; done
$B mkdir -p $N/dev/pts $N/dev/shm
$B mount -t devpts -o ptmxmode=666 devpts $N/dev/pts
$B mount -t tmpfs shm $N/dev/shm
$B mount -t tmpfs -o mode=755 run $N/run
$B mount -t tmpfs tmp $N/tmp
$B mount -t cgroup2 cgroup $N/sys/fs/cgroup
$B mount -t bpf bpf $N/sys/fs/bpf
$B mount -t debugfs debugfs $N/sys/kernel/debug
$B ln -s /proc/self/fd $N/dev/fd
for at in 0:stdin 1:stdout 2:stderr; do $B ln -s "fd/${at%:*}" "$N/dev/${at#*:}"; done
$B mkdir -p $N/run/lab $N/run/netns
$B cp $B /agent.sh $N/run/lab/
while read -r tag mode path; do share "$tag" "$mode" "$N$path"; done </shares.list
$B hostname lab
echo "127.0.0.1 localhost lab" >$N/etc/hosts
: >$N/etc/resolv.conf
exec $B switch_root $N /run/lab/busybox sh /run/lab/agent.sh
