# Removes the control groups of guest $1, whose processes are gone.
mount --make-rprivate / && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
	find "/sys/fs/cgroup/$1" -depth -type d -exec rmdir {} +
