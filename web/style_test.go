package web_test

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every text on its ground has the contrast that WCAG 2 AA asks for, in both themes.
func TestTextCanBeRead(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := regexp.MustCompile(`"(/assets/style\.css[^"]*)"`).FindStringSubmatch(f.page("/"))
	w := f.get(m[1])
	if w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	light, rest, ok := strings.Cut(w.Body.String(), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("there is no dark theme")
	}
	dark, _, _ := strings.Cut(rest, "\n}\n")
	pairs := [][2]string{
		{"text", "ground"},
		{"text", "card"},
		{"text", "sunk"},
		{"soft", "ground"},
		{"soft", "card"},
		{"soft", "sunk"},
		{"soft", "low-bg"},
		{"link", "ground"},
		{"link", "card"},
		{"link", "sunk"},
		{"link", "low-bg"},
		{"card", "link"},
		{"mark-text", "mark"},
		{"critical-on", "critical-fill"},
		{"unseen-on", "unseen"},
		{"high", "card"},
		{"critical", "card"},
		{"medium", "card"},
		{"good", "card"},
	}
	for _, s := range []string{"critical", "high", "medium", "low", "info", "good"} {
		pairs = append(pairs, [2]string{s, s + "-bg"})
	}
	for i := range 4 {
		pairs = append(pairs, [2]string{"heat-text", fmt.Sprintf("heat%d", i+1)})
	}
	for theme, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+): #([0-9a-f]+);`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = m[2]
		}
		for _, p := range pairs {
			if c := contrast(t, colours[p[0]], colours[p[1]]); c < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f", theme, p[0], p[1], c)
			}
		}
	}
}

// contrast is that of WCAG 2, of two colours in hexadecimal.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || len(hex) != 6 {
		t.Fatalf("%q is no colour", hex)
	}
	part := func(v uint64) float64 {
		c := float64(v&255) / 255
		if c <= .04045 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*part(n>>16) + .7152*part(n>>8) + .0722*part(n)
}
