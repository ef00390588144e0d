package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"golang.org/x/term"

	"github.com/vmdrift/vmdrift/baseline"
)

// A listing is something that every output format can show.
type listing struct {
	data  any        // for json and yaml
	heads []string   // csv columns
	rows  [][]string // csv rows
	table func(w io.Writer)
}

// print writes l in the chosen format.
func (a *app) print(l listing) error {
	switch a.flags.output {
	case "json":
		return writeJSON(a.stdout, l.data)
	case "yaml":
		return writeYAML(a.stdout, l.data)
	case "csv":
		return writeCSV(a.stdout, l.heads, l.rows)
	}
	var out strings.Builder
	l.table(&out)
	_, err := io.WriteString(a.stdout, out.String())
	return err
}

func writeJSON(w io.Writer, data any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(data)
}

// writeYAML writes what writeJSON would, as YAML: one form, two notations.
func writeYAML(w io.Writer, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		return err
	}
	plain(&root)
	out, err := yaml.Dump(&root)
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

// plain drops the flow style that comes from JSON, and the quotes of text that is text to
// every YAML reader: one of YAML 1.1 takes a bare no for false, and 22:30 for 1350.
func plain(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Style != yaml.DoubleQuotedStyle || plainText.MatchString(n.Value) && !yamlWord.MatchString(n.Value) {
		n.Style = 0 // the encoder quotes what YAML 1.2 wants quoted
	}
	for _, c := range n.Content {
		plain(c)
	}
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z/_(]`)
	yamlWord  = regexp.MustCompile(`^(?i:null|y|n|yes|no|on|off|true|false)$`)
)

// writeCSV writes rows of text. A cell that a spreadsheet would take for a formula gets a quote before it.
func writeCSV(w io.Writer, heads []string, rows [][]string) error {
	out := csv.NewWriter(w)
	if err := out.Write(heads); err != nil {
		return err
	}
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			if len(cell) > 1 && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				cell = "'" + cell
			}
			safe[i] = cell
		}
		if err := out.Write(safe); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// A style colours text, or does not.
type style struct {
	on    bool
	width int // for sentences; 0 is without end
}

func newStyle(when string, w io.Writer) (style, error) {
	switch when {
	case "always":
		return style{true, terminalWidth(w)}, nil
	case "never":
		return style{false, terminalWidth(w)}, nil
	case "auto":
		return style{isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", terminalWidth(w)}, nil
	}
	return style{}, fmt.Errorf("--color is auto, always or never, not %q", when)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (s style) paint(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string  { return s.paint("1", text) }
func (s style) dim(text string) string   { return s.paint("2", text) }
func (s style) good(text string) string  { return s.paint("32", text) }
func (s style) warn(text string) string  { return s.paint("33", text) }
func (s style) alarm(text string) string { return s.paint("31", text) }

func (s style) severity(v baseline.Severity, text string) string {
	switch v {
	case baseline.Critical:
		return s.paint("1;37;41", text)
	case baseline.High:
		return s.paint("1;31", text)
	case baseline.Medium:
		return s.paint("33", text)
	case baseline.Low:
		return s.paint("36", text)
	}
	return s.dim(text)
}

// columns returns a writer that aligns tab-separated cells, and what flushes it.
func columns(w io.Writer) (*tabwriter.Writer, func()) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	return t, func() { _ = t.Flush() }
}

// pad fills text up to width columns.
func pad(text string, width int) string {
	if n := utf8.RuneCountInString(text); n < width {
		return text + strings.Repeat(" ", width-n)
	}
	return text
}

// count writes "1 machine", "2 machines".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// when shows a time as people read it: how long ago, and on which day beyond a week.
func when(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	switch ago := now.Sub(t); {
	case ago < 0:
		return t.Local().Format("2006-01-02 15:04")
	case ago < time.Minute:
		return "just now"
	case ago < time.Hour:
		return fmt.Sprintf("%d min ago", int(ago.Minutes()))
	case ago < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(ago.Hours()))
	case ago < 8*24*time.Hour:
		return fmt.Sprintf("%d days ago", int(ago.Hours()/24))
	}
	return t.Local().Format("2006-01-02")
}
