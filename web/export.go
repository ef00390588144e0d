package web

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// driftSchema names version 1 of the JSON form of a drift.
const driftSchema = "vmdrift.drift/v1"

// A driftJSON is a drift in an export, with all of its texts in full.
type driftJSON struct {
	Schema   string              `json:"schema"`
	Drift    string              `json:"drift"`
	Severity string              `json:"severity"`
	Facet    inventory.Facet     `json:"facet"`
	Key      string              `json:"key"`
	Op       baseline.Op         `json:"op"`
	Fields   map[string]wantHave `json:"fields"`
	OpenedAt time.Time           `json:"opened_at"` // the first of the machines'
	LastSeen time.Time           `json:"last_seen"`
	Machines []driftMachineJSON  `json:"machines"`
}

// wantHave is one field of a change. Null stands for no such item.
type wantHave struct {
	Want *string `json:"want"`
	Have *string `json:"have"`
}

type driftMachineJSON struct {
	Machine        string             `json:"machine"`
	State          drift.FindingState `json:"state"`
	OpenedAt       time.Time          `json:"opened_at"`
	LastSeen       time.Time          `json:"last_seen"`
	Reopened       int                `json:"reopened,omitempty"`
	Baseline       string             `json:"baseline,omitempty"`
	Revision       int                `json:"revision,omitempty"`
	AcknowledgedBy string             `json:"acknowledged_by,omitempty"`
}

// driftJSON is the drift list as JSON: what the filter selects, on all pages.
func (s *server) driftJSON(w http.ResponseWriter, r *http.Request) error {
	drifts, err := s.exported(r)
	if err != nil {
		return err
	}
	out := []driftJSON{}
	for _, d := range drifts {
		first, last := spanOf(d)
		j := driftJSON{
			Schema: driftSchema, Drift: d.Change.ID(), Severity: d.Change.Severity.String(), Facet: d.Change.Facet, Key: d.Change.Key,
			Op: d.Change.Op, Fields: map[string]wantHave{}, OpenedAt: first, LastSeen: last,
		}
		for _, f := range d.Change.Fields {
			j.Fields[f.Name] = wantHave{f.Want, f.Have}
		}
		for _, f := range d.Findings {
			m := driftMachineJSON{
				Machine: visible(f.MachineName), State: f.State, OpenedAt: f.OpenedAt, LastSeen: f.LastSeen, Reopened: f.Reopened,
				Baseline: f.Baseline, Revision: f.Revision,
			}
			if f.State == drift.Acknowledged {
				m.AcknowledgedBy = visible(f.Acknowledged.By)
			}
			j.Machines = append(j.Machines, m)
		}
		out = append(out, j)
	}
	return sendJSON(w, "drift.json", out)
}

// driftCSV is the drift list as CSV: a row per drift.
func (s *server) driftCSV(w http.ResponseWriter, r *http.Request) error {
	drifts, err := s.exported(r)
	if err != nil {
		return err
	}
	rows := [][]string{{"drift", "severity", "facet", "key", "op", "fields", "machines", "machine_names", "opened_at", "last_seen", "state", "baselines"}}
	for _, d := range drifts {
		first, last := spanOf(d)
		names := make([]string, len(d.Findings))
		for i, f := range d.Findings {
			names[i] = visible(f.MachineName)
		}
		rows = append(rows, []string{
			d.Change.ID(), d.Change.Severity.String(), string(d.Change.Facet), d.Change.Key, string(d.Change.Op), fieldsText(d.Change),
			strconv.Itoa(len(d.Findings)), strings.Join(names, " "), first.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339),
			stateText(d.Findings), strings.Join(baselinesOf(d), " "),
		})
	}
	var buf bytes.Buffer
	out := csv.NewWriter(&buf)
	for _, row := range rows {
		for i := range row {
			row[i] = cell(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	w.Header().Set("Content-Disposition", `attachment; filename="drift.csv"`)
	return send(w, http.StatusOK, "text/csv; charset=utf-8; header=present", buf.Bytes())
}

func (s *server) exported(r *http.Request) ([]drift.Drift, error) {
	f, err := parseDriftFilter(r, s.now())
	if err != nil {
		return nil, err
	}
	drifts, _, err := s.drifts(r, f)
	return drifts, err
}

// cell guards a CSV cell: what a spreadsheet would take for a formula gets a quote before it. Blanks in front
// do not hide one, and the signs in full width are taken like the others by some.
func cell(s string) string {
	if bare := strings.TrimLeft(s, " \t\r\n"); len(bare) < len(s) || bare != "" && slices.Contains([]rune("=+-@＝＋－＠"), []rune(bare)[0]) {
		return "'" + s
	}
	return s
}

// sendJSON writes a file to look at.
func sendJSON(w http.ResponseWriter, name string, data any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	if err := enc.Encode(data); err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", `inline; filename="`+name+`"`)
	return send(w, http.StatusOK, "application/json", buf.Bytes())
}
