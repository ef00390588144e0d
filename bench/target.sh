# Makes the guest a target to measure: as many packages as a usual server has, and
# an sshd on many ports, each standing for a machine.
awk 'BEGIN { RS = ""; ORS = "\n\n" }
	{ p[NR] = $0 }
	END {
		for (i = 1; i <= NR; i++) print p[i]
		for (n = 1; NR * n < 744; n++)
			for (i = 1; i <= NR && NR * n + i <= 744; i++) {
				sub(/^Package: [^\n]*/, "&-copy" n, p[i])
				print p[i]
			}
	}' /var/lib/dpkg/status >/var/lib/dpkg/status-new
mv /var/lib/dpkg/status-new /var/lib/dpkg/status
