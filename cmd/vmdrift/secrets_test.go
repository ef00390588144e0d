package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/vmdrift/vmdrift/internal/simcenter"
	"github.com/vmdrift/vmdrift/internal/simvm"
	"github.com/vmdrift/vmdrift/internal/testdb"
)

// Every secret that vmdrift is given is planted, right and wrong ones, and every command that could
// tell is run, in every form: none of them is in what is printed, logged, written to the
// configuration's folder or stored. AWS's keys are planted in the tests of collector/aws.
func TestSecretsAppearNowhere(t *testing.T) {
	url := testdb.New(t)
	dir := t.TempDir()
	guest := simvm.New("web-1", simvm.Debian12)
	fleet, err := startFleet(t, dir, guest)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(fleet.Hosts()[0].Addr(), ":")
	center, err := simcenter.Start(t.Context(), "esx-1", simcenter.VM{Name: "web-1", UUID: guest.UUID(), Address: "192.0.2.11"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = center.Close() })
	pem, err := center.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{
		"right": center.Password(), "wrong": "planted-wrong-password", "ssh": "planted-ssh-password", "database": "planted-database-password",
		"command": "planted-by-a-command",
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("vcenter.pem", string(pem))
	write("ssh_config", fmt.Sprintf("Host 192.0.2.11\n  HostName %s\n  Port %s\n", host, port))
	write("ssh-password", secrets["ssh"])
	t.Setenv("VMDRIFT_RIGHT", secrets["right"])
	config := func(password string) string {
		write("conf.yaml", fmt.Sprintf(`vmdrift: config/v1
ssh: {config: [ssh_config], identity_files: [id_ed25519], known_hosts: [known_hosts], password_file: ssh-password}
sources:
  - {name: vc, type: vsphere, url: %s, user: %s, password: %q, ca_file: vcenter.pem, login: root}
`, center.Host(), simcenter.User, password))
		return filepath.Join(dir, "conf.yaml")
	}

	var said bytes.Buffer
	vmdrift := func(conf string, args ...string) int {
		return run(append([]string{"-v", "-c", conf, "--database", url}, args...), strings.NewReader(""), &said, &said)
	}
	write("wrong", secrets["wrong"])
	for i, c := range []struct {
		password string
		status   int // of a scan
	}{
		{"env:VMDRIFT_RIGHT", exitSame},
		{"command:echo " + secrets["command"], exitTrouble},
		{"command:echo " + secrets["command"] + "; exit 1", exitTrouble},
		{"file:wrong", exitTrouble},
	} {
		conf := config(c.password)
		if got := vmdrift(conf, "scan"); got != c.status {
			t.Errorf("scan %d: status %d\n%s", i, got, said.String())
		}
		for _, args := range [][]string{{"sources", "list"}, {"sources", "test", "vc"}, {"scan"}, {"doctor", "web-1"}, {"snapshot", "nobody@192.0.2.11"}} {
			for _, form := range []string{"table", "json", "yaml", "csv"} {
				vmdrift(conf, append(args, "-o", form)...)
			}
		}
	}
	good := config("env:VMDRIFT_RIGHT")
	for _, args := range [][]string{
		{"scan"}, {"baseline", "capture", "web", "--from", "web-1"}, {"baseline", "export", "web"}, {"drift", "list"}, {"machines", "show", "web-1"}, {"machines", "list", "-o", "json"},
	} {
		if got := vmdrift(good, args...); got != exitSame {
			t.Errorf("%v: status %d", args, got)
		}
	}
	unreachable := "postgres://vmdrift:" + secrets["database"] + "@127.0.0.1:1/vmdrift"
	run([]string{"-v", "--database", unreachable, "scan", "--local"}, strings.NewReader(""), &said, &said)

	given := []string{secrets["right"], secrets["wrong"], secrets["ssh"], secrets["database"], secrets["command"]}
	for where, text := range map[string]string{"what is said": said.String(), "the database": dump(t, url)} {
		if len(text) < 1000 {
			t.Errorf("%s is all of %d bytes", where, len(text))
		}
		for _, secret := range given {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s holds %s: …%s", where, secret, text[max(0, i-200):min(len(text), i+100)])
			}
		}
	}
}

// dump returns every row of every table as text.
func dump(t *testing.T, url string) string {
	t.Helper()
	ctx := context.Background()
	c := testdb.Conn(t, url)
	rows, err := c.Query(ctx, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, table := range tables {
		rows, err := c.Query(ctx, "SELECT t::text FROM "+table+" t")
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(strings.Join(lines, "\n"))
	}
	return out.String()
}
