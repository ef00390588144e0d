# Runs in the new root file system, once per image. Everybody logs in by key, as
# root, as admin who may use sudo, and as plain who may not.
set -e
useradd --create-home --shell /bin/bash --password '*' admin
useradd --create-home --shell /bin/bash --password '*' plain
echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin
chmod 0440 /etc/sudoers.d/admin
for home in /root /home/admin /home/plain; do
	[ -d "$home/.ssh" ] || mkdir "$home/.ssh"
	chmod 0700 "$home/.ssh"
done
chown admin: /home/admin/.ssh
chown plain: /home/plain/.ssh
# A console that nobody is at: its login prompt comes and goes.
systemctl mask --quiet console-getty.service container-getty@.service
# No clock of its own may change this machine while a test looks.
systemctl disable --quiet apt-daily.timer apt-daily-upgrade.timer
