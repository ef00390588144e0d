package notify_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/vmdrift/vmdrift/baseline"
	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/internal/notify"
	"github.com/vmdrift/vmdrift/inventory"
)

var night = time.Date(2026, 11, 3, 2, 0, 0, 0, time.UTC)

// hostile is what a machine may have in its keys and values.
const hostile = "<!channel> *bold* `code` [x](http://evil) <b>&amp; @here"

// report is a run with drifts of each severity on some machines.
func report(opened int, machines int) drift.Report {
	var fs []drift.FindingRecord
	for i := range opened {
		have := hostile
		c := baseline.Change{
			Facet: inventory.Ports, Key: fmt.Sprintf("tcp/0.0.0.0:%d", 4000+i), Op: baseline.Added, Severity: baseline.Severity(i % 5),
			Fields: []baseline.FieldChange{{Name: "process", Have: &have}},
		}
		for m := range machines {
			fs = append(fs, drift.FindingRecord{
				Finding: drift.Finding{ChangeID: drift.ChangeID(i + 1), Change: c, State: drift.Open, FirstSeen: night}, MachineName: fmt.Sprintf("web-%d", m), Baseline: "web", Revision: 1,
			})
		}
	}
	return drift.Report{
		Run: drift.Run{
			ID: 7, State: drift.RunFinished, Queued: true, Schedule: "nightly", StartedAt: night, FinishedAt: night.Add(time.Hour), Planned: 10,
			Outcomes: map[collector.Outcome]int{collector.OK: 9, collector.AuthFailed: 1},
		},
		Opened:   drift.Group(fs),
		Machines: []drift.RunMachine{{Name: "web-9", Outcome: collector.AuthFailed, Reason: hostile}},
	}
}

// A receiver keeps what it was sent.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	heads  []http.Header
	paths  []string
	answer int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{answer: 200}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies, r.heads, r.paths = append(r.bodies, string(body)), append(r.heads, req.Header), append(r.paths, req.URL.Path)
		if r.answer/100 == 3 {
			w.Header().Set("Location", r.URL+"/elsewhere")
		}
		w.WriteHeader(r.answer)
		fmt.Fprint(w, "what the receiver says")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) channel(kind string) notify.Channel {
	return notify.Channel{
		Name: "ops", Type: kind, URL: func() (string, error) { return r.URL + "/hook?key=s3cret", nil }, Link: "https://vmdrift.example.com/",
		Now: func() time.Time { return night },
	}
}

var notice = drift.Notice{ID: 3, Run: 7, Channel: "ops", MadeAt: night}

func (r *receiver) send(t *testing.T, c notify.Channel, rep drift.Report) map[string]any {
	t.Helper()
	if err := c.Send(t.Context(), notice, rep); err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(r.bodies[len(r.bodies)-1]), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAWebhookIsSignedAndKnownByItsID(t *testing.T) {
	r := newReceiver(t)
	c := r.channel("webhook")
	key := []byte("0123456789abcdef")
	c.Secret = func() (string, error) { return "whsec_" + base64.StdEncoding.EncodeToString(key), nil }
	c.Token = func() (string, error) { return "t0ken", nil }
	got := r.send(t, c, report(2, 3))
	r.send(t, c, report(2, 3))
	if got["schema"] != "vmdrift.notice/v1" || got["run"] != 7.0 || len(got["opened"].([]any)) != 2 {
		t.Errorf("%v", got)
	}
	want := "2 new drifts on 3 machines, worst low; 9 of 10 machines seen."
	if got["summary"] != want {
		t.Errorf("summary %q, want %q", got["summary"], want)
	}
	h := r.heads[0]
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), r.bodies[0])
	if h.Get("Webhook-Signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) || h.Get("Webhook-Timestamp") != fmt.Sprint(night.Unix()) {
		t.Errorf("signature %q at %q", h.Get("Webhook-Signature"), h.Get("Webhook-Timestamp"))
	}
	if h.Get("Authorization") != "Bearer t0ken" || h.Get("Webhook-Id") == "" || h.Get("Webhook-Id") != r.heads[1].Get("Webhook-Id") {
		t.Errorf("headers %v", h)
	}
	if first := got["opened"].([]any)[0].(map[string]any); first["link"] != "https://vmdrift.example.com/drift/"+first["drift"].(string) || first["severity"] != "low" {
		t.Errorf("%v", first)
	}
}

func TestChatFormsKeepTheirBoundsAndCarryNoMarkupOfMachines(t *testing.T) {
	for _, kind := range []string{"slack", "teams"} {
		r := newReceiver(t)
		got := r.send(t, r.channel(kind), report(60, 30))
		body := r.bodies[0]
		if len(body) > 28<<10 { // of Teams, the least
			t.Errorf("%s: %d bytes", kind, len(body))
		}
		if !utf8.ValidString(body) {
			t.Errorf("%s: no text", kind)
		}
		for _, text := range textsOf(got) {
			switch kind {
			case "slack":
				text := codeSpan.ReplaceAllString(text, "") // in which nothing is markup
				if strings.Contains(text, "<!") || strings.Contains(text, "<b>") || strings.Contains(text, "*bold*") || len([]rune(text)) > 3000 {
					t.Errorf("slack: %q", text)
				}
			case "teams":
				if strings.Contains(text, "[x](") || strings.Contains(text, "*bold*") && !strings.Contains(text, `\*bold\*`) {
					t.Errorf("teams: %q", text)
				}
			}
		}
		if !strings.Contains(body, "and 40 more") && !strings.Contains(body, "and 50 more") {
			t.Errorf("%s does not say that there is more: %s", kind, body)
		}
		if blocks, ok := got["blocks"].([]any); kind == "slack" && (!ok || len(blocks) > 50) {
			t.Errorf("blocks %d", len(blocks))
		}
	}
}

var codeSpan = regexp.MustCompile("`[^`]*`")

func textsOf(v any) (out []string) {
	switch v := v.(type) {
	case string:
		out = append(out, v)
	case map[string]any:
		for _, w := range v {
			out = append(out, textsOf(w)...)
		}
	case []any:
		for _, w := range v {
			out = append(out, textsOf(w)...)
		}
	}
	return out
}

func TestAlertmanagerGetsAlertsThatEndWithTheirDrift(t *testing.T) {
	r := newReceiver(t)
	rep := report(2, 1)
	gone := report(1, 1).Opened
	rep.Resolved = gone
	if err := r.channel("alertmanager").Send(t.Context(), notice, rep); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(r.paths[0], "/api/v2/alerts") {
		t.Errorf("path %s", r.paths[0])
	}
	var alerts []struct {
		Labels      map[string]string
		Annotations map[string]string
		StartsAt    time.Time
		EndsAt      *time.Time
	}
	if err := json.Unmarshal([]byte(r.bodies[0]), &alerts); err != nil {
		t.Fatal(err)
	}
	if len(alerts) != 4 || alerts[0].EndsAt != nil || alerts[2].EndsAt == nil || alerts[0].Labels["alertname"] != "VMDrift" || alerts[0].Labels["severity"] != "low" {
		t.Errorf("%+v", alerts)
	}
	if last := alerts[3]; last.Labels["alertname"] != "VMDriftCoverage" || last.EndsAt == nil {
		t.Errorf("%+v", last)
	}
	rep.Run.Outcomes = map[collector.Outcome]int{collector.OK: 1}
	if err := r.channel("alertmanager").Send(t.Context(), notice, rep); err != nil {
		t.Fatal(err)
	}
	alerts = nil
	if err := json.Unmarshal([]byte(r.bodies[1]), &alerts); err != nil || alerts[3].EndsAt != nil {
		t.Errorf("a run that saw too little raises no alert: %v, %+v", err, alerts[3])
	}
}

func TestOnlyWhoWantsItIsTold(t *testing.T) {
	quiet, news, alarm := report(0, 0), report(1, 1), report(0, 0)
	alarm.Run.Outcomes = map[collector.Outcome]int{collector.OK: 2}
	for _, c := range []struct {
		channel               notify.Channel
		quiet, news, alarming bool
	}{
		{notify.Channel{}, false, true, true},
		{notify.Channel{When: notify.OnNews}, false, true, true},
		{notify.Channel{When: notify.OnAlarm}, false, false, true},
		{notify.Channel{When: notify.Always}, true, true, true},
		{notify.Channel{MinSeverity: baseline.High}, false, false, true},
		{notify.Channel{Schedules: []string{"weekly"}, When: notify.Always}, false, false, false},
	} {
		if c.channel.Wants(quiet) != c.quiet || c.channel.Wants(news) != c.news || c.channel.Wants(alarm) != c.alarming {
			t.Errorf("%+v: %v %v %v", c.channel, c.channel.Wants(quiet), c.channel.Wants(news), c.channel.Wants(alarm))
		}
	}
}

func TestAReceiverThatRefusesIsQuotedWithoutTheURL(t *testing.T) {
	r := newReceiver(t)
	for _, status := range []int{500, 404, 302} {
		r.answer = status
		err := r.channel("webhook").Send(t.Context(), notice, report(1, 1))
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%d: %v", status, err)
		}
	}
	if len(r.bodies) != 3 {
		t.Errorf("%d requests: a redirect was followed", len(r.bodies))
	}
	r.Close()
	err := r.channel("webhook").Send(t.Context(), notice, report(1, 1))
	if err == nil || !strings.Contains(err.Error(), "cannot be reached") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
	c := r.channel("webhook")
	c.URL = func() (string, error) { return "gopher://s3cret", nil }
	if err := c.Send(t.Context(), notice, report(1, 1)); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
}

func TestMailIsPlainTextWithoutWaysToAddHeaders(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go serveMail(l, got)
	rep := report(2, 3)
	rep.Run.Schedule = "nightly\r\nBcc: evil@example.com"
	c := notify.Channel{Name: "ops", Type: "email", Server: l.Addr().String(), TLS: "none", From: "vmdrift@example.com", To: []string{"ops@example.com", "sec@example.com"}}
	if err := c.Send(t.Context(), notice, rep); err != nil {
		t.Fatal(err)
	}
	text := <-got
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	plain, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Message-ID: <vmdrift-7-3-", "Auto-Submitted: auto-generated", "text/plain"} {
		if !strings.Contains(head, want) {
			t.Errorf("it lacks %q: %s", want, head)
		}
	}
	for line := range strings.SplitSeq(head, "\r\n") {
		if strings.HasPrefix(line, "Bcc:") {
			t.Errorf("a header was smuggled in: %q", line)
		}
	}
	for _, want := range []string{"NEW", "tcp/0.0.0.0:4001 added", "web-0, web-1, web-2", "NOT SEEN WHOLE"} {
		if !strings.Contains(string(plain), want) {
			t.Errorf("it lacks %q: %s", want, plain)
		}
	}
	c.Server = "192.0.2.1:25"
	if err := c.Send(t.Context(), notice, rep); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("without TLS to elsewhere: %v", err)
	}
}

// serveMail takes one mail, as RFC 5321 says.
func serveMail(l net.Listener, got chan<- string) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	in := bufio.NewReader(c)
	say := func(s string) { fmt.Fprintf(c, "%s\r\n", s) }
	say("220 here")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch word := strings.ToUpper(strings.Fields(line + " x")[0]); word {
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				text.WriteString(line)
			}
			got <- text.String()
			say("250 ok")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}
