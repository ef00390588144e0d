# Boots a guest: boot.sh LOWER DIR NAME, in new mount, process and network
# namespaces. DIR is a folder that holds setup.sh, which runs in the root file
# system before the guest boots.
set -e
lower=$1 dir=$2 name=$3
mount --make-rprivate /
mount -t proc proc /proc
ip link set lo up

# The host may have an older hierarchy there, which today's systemd refuses.
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for old in /sys/fs/cgroup/vmdrift-guest-*; do # of tests that were killed
	grep -qs 'populated 0' "$old/cgroup.events" || continue
	find "$old" -depth -type d -exec rmdir {} + 2>/dev/null || :
done
# Again, if another guest's boot took ours for an old one before we were in it.
until mkdir -p "/sys/fs/cgroup/$name" && echo 0 2>/dev/null >"/sys/fs/cgroup/$name/cgroup.procs"; do :; done

# systemd-nspawn keeps its lock files here; ours shall end with us.
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd

mkdir "$dir/mem"
mount -t tmpfs -o mode=0755 tmpfs "$dir/mem"
mkdir "$dir/mem/up" "$dir/mem/work" "$dir/mem/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$dir/mem/up,workdir=$dir/mem/work" "$dir/mem/root"
mount -t proc proc "$dir/mem/root/proc"
chroot "$dir/mem/root" /bin/sh -eu <"$dir/setup.sh"
umount "$dir/mem/root/proc"

exec systemd-nspawn --boot --quiet --settings=no --register=no --keep-unit --notify-ready=yes \
	--network-namespace-path=/proc/self/ns/net --resolv-conf=off --timezone=off --link-journal=no \
	--console=pipe --machine="$name" --hostname="$name" -D "$dir/mem/root"
