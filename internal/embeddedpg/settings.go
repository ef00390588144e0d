package embeddedpg

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// A mode is what a cluster is for.
type mode int

const (
	durable   mode = iota
	temporary      // for tests: may lose everything in a crash, and is removed afterwards
)

const port = "5432" // part of the socket's name, nothing more

// settings returns the server's configuration: small, since it lives beside the
// work it serves; durable; out of reach from the network.
func (c *cluster) settings(socketDir string) []string {
	set := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": socketDir,
		"unix_socket_permissions": "0700",
		"port":                    port,
		"hba_file":                c.path("hba.conf"),
		"ident_file":              c.path("ident.conf"),

		"max_connections":      "50",
		"shared_buffers":       "64MB",
		"effective_cache_size": "512MB",
		"work_mem":             "16MB",
		"maintenance_work_mem": "64MB",
		"random_page_cost":     "1.1",
		"jit":                  "off", // compiling costs more than our queries
		// Parallel queries need /dev/shm, which containers make small.
		"max_parallel_workers_per_gather":  "0",
		"max_parallel_maintenance_workers": "0",

		"fsync":              "on",
		"synchronous_commit": "on",
		"wal_level":          "minimal", // nobody replicates it
		"max_wal_senders":    "0",
		"max_wal_size":       "256MB",
		"min_wal_size":       "32MB",
		"checkpoint_timeout": "15min",

		"logging_collector": "off", // standard error is a file already
		"log_destination":   "stderr",
		"log_min_messages":  "warning",
		"lc_messages":       "C", // we read them
		"timezone":          "UTC",
		"log_timezone":      "UTC",
	}
	if c.mode == temporary {
		set["fsync"], set["synchronous_commit"], set["full_page_writes"] = "off", "off", "off"
		set["max_connections"] = "200"
		set["autovacuum_naptime"] = "1h" // the tests' counts of rows and bytes are their own
	}
	var args []string
	for _, key := range slices.Sorted(maps.Keys(set)) {
		args = append(args, "-c", key+"="+set[key])
	}
	return args
}

// letIn writes who may connect: through the socket only, and there the system
// users that may act as the database's owner: ourselves, and the server's account.
func (c *cluster) letIn() error {
	hba := "local all all peer map=" + name + "\n"
	users := []string{c.owner.name}
	if c.owner.lent {
		users = append(users, "root")
	}
	var ident strings.Builder
	for _, user := range users {
		fmt.Fprintf(&ident, "%s \"%s\" %s\n", name, user, name)
	}
	for file, text := range map[string]string{"hba.conf": hba, "ident.conf": ident.String()} {
		// A crash between truncating and writing leaves a file that lets nobody in; the next start writes it again.
		err := os.WriteFile(c.path(file), []byte(text), 0o644)
		if err = errors.Join(err, os.Chmod(c.path(file), 0o644)); err != nil { // whatever the umask
			return fmt.Errorf("configure the private database: %w", sentence(err))
		}
	}
	return nil
}
