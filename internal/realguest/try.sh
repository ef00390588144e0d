# Tries, in namespaces of its own, every mount that boot.sh will need.
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /mnt
mkdir /mnt/low /mnt/up /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/mnt/low,upperdir=/mnt/up,workdir=/mnt/work /mnt/root
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/try-vmdrift-$1"
rmdir "/sys/fs/cgroup/try-vmdrift-$1"
ip link set lo up
