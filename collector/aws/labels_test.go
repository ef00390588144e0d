package aws

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTagsAreLabelsThatASelectorCanName(t *testing.T) {
	got := labels(map[string]string{"account": "1", "region": "eu-west-1", "service": ""}, map[string]string{
		"role":       "web",
		"Cost Unit":  "R&D / 7",
		"Cost-Unit":  "kept", // it needed no change
		"account":    "forged",
		"service":    "forged",
		"name":       "forged",
		"источник":   "x",
		"long":       strings.Repeat("a", 62) + "é",
		"empty":      "",
		"aws:x/y_":   "-v-",
		"duplicate!": "1",
		"duplicate?": "2",
	})
	want := map[string]string{
		"account": "1", "region": "eu-west-1", "role": "web", "Cost-Unit": "kept",
		"long": strings.Repeat("a", 62), "empty": "", "aws-x-y": "v", "duplicate": "1",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestEveryLabelIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := labelText(rapid.String().Draw(t, "text"))
		if len(s) > maxLabel || strings.Trim(s, "-_.") != s {
			t.Fatalf("%q", s)
		}
		for _, c := range s {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", c) {
				t.Fatalf("%q", s)
			}
		}
	})
}
