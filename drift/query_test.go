package drift

import (
	"strings"
	"testing"

	"github.com/vmdrift/vmdrift/inventory"
)

func TestQueriesMatchByKeyPartsFieldsAndVersions(t *testing.T) {
	ssl := item(t, "deb/openssl:amd64", "version", "3.0.9-1", "state", "installed")
	kernels := item(t, "rpm/kernel-core:x86_64", "version", "5.14.0-70.el9,5.14.0-162.el9")
	docker := item(t, "tcp/[::]:2375", "process", "dockerd", "user", "root")
	alice := item(t, "alice", "uid", "1000", "groups", "docker,sudo")
	for query, cases := range map[string]map[bool][]inventory.Item{
		"packages name=openssl version<3.0.11":    {true: {ssl}, false: {kernels}},
		"packages name=openssl version>=3.0.10":   {false: {ssl}},
		"packages name=open* manager=deb":         {true: {ssl}, false: {kernels}},
		"packages version=5.14.0-162.el9":         {true: {kernels}, false: {ssl}},
		"packages version<5.14.0-100.el9":         {true: {kernels, ssl}},
		"ports port=2375 address!=127.0.0.1":      {true: {docker}},
		"ports port>=1024 protocol=tcp":           {true: {docker}},
		"ports port<1024":                         {false: {docker}},
		"port process=docker?":                    {true: {docker}},
		"users groups=docker":                     {true: {alice}},
		"users groups!=docker":                    {false: {alice}},
		"users uid<=1000 name=alice":              {true: {alice}},
		"users shell=/bin/sh":                     {false: {alice}}, // unknown is not a match
		"users shell!=/bin/sh":                    {false: {alice}},
		`packages name="openssl" state=installed`: {true: {ssl}},
	} {
		q, err := ParseQuery(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		for matches, items := range cases {
			for _, it := range items {
				if q.Match(it) != matches {
					t.Errorf("%s on %s: %v, want %v", query, it.Line(), !matches, matches)
				}
				if ps := q.prefixes(); matches && len(ps) > 0 && !hasAnyPrefix(it.Key(), ps) {
					t.Errorf("%s: prefixes %v miss %s", query, ps, it.Key())
				}
			}
		}
	}
}

func hasAnyPrefix(s string, ps []string) bool {
	for _, p := range ps {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func TestAWrongQuerySaysWhatCouldHaveStoodThere(t *testing.T) {
	for query, want := range map[string]string{
		"":                       "empty",
		"package":                "", // the singular is fine
		"pakages name=x":         "cloud, groups, hardware",
		"ports name=x":           "protocol, address, port",
		"packages openssl":       "NAME=VALUE",
		"packages =x":            "NAME=VALUE",
		"packages name!x":        "operators",
		`packages name="x`:       "not closed",
		"packages version~3.0.1": "NAME=VALUE",
	} {
		_, err := ParseQuery(query)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", query, err, want)
		}
	}
}
