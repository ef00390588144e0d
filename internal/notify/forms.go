package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// slack is the form of Slack's incoming webhooks: blocks, of which a section holds 3,000 characters at most.
// What comes from machines is escaped, so that it can neither mention somebody nor make a link.
func slack(m Message) any {
	type text struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	type block struct {
		Type string `json:"type"`
		Text text   `json:"text"`
	}
	section := func(s string) block { return block{"section", text{"mrkdwn", cut(s, 2900)}} }
	head := "*" + slackText(m.title()) + "*\n" + slackText(m.Summary)
	if m.Link != "" {
		head += fmt.Sprintf("\n<%s|Open the run>", slackText(m.Link))
	}
	blocks := []block{section(head)}
	add := func(title string, news []News, more int) {
		if len(news) == 0 {
			return
		}
		lines := []string{"*" + title + "*"}
		for _, n := range news {
			lines = append(lines, fmt.Sprintf("• *%s* `%s` on %s", n.Severity, slackCode(cut(n.Text, 150)), slackText(cut(n.where(), 80))))
			if len(lines) == 11 { // two sections at most, each within its bound
				break
			}
		}
		if left := len(news) - (len(lines) - 1) + more; left > 0 {
			lines = append(lines, fmt.Sprintf("…and %d more", left))
		}
		blocks = append(blocks, section(strings.Join(lines, "\n")))
	}
	add("New", m.Opened, m.MoreOpened)
	add("Gone", m.Resolved, m.MoreResolved)
	if len(m.Trouble) > 0 {
		var lines []string
		for _, t := range m.Trouble {
			lines = append(lines, fmt.Sprintf("• %s: %s", slackText(cut(t.Machine, 80)), slackText(cut(string(t.Outcome)+" "+t.Reason, 150))))
		}
		if m.MoreTrouble > 0 {
			lines = append(lines, fmt.Sprintf("…and %d more", m.MoreTrouble))
		}
		blocks = append(blocks, section("*Not seen whole*\n"+strings.Join(lines, "\n")))
	}
	return map[string]any{"text": slackText(m.title() + ": " + m.Summary), "blocks": blocks}
}

var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func slackText(s string) string {
	// Marks that Slack reads as markup lose their meaning before an invisible character.
	return strings.NewReplacer("*", "*\u200b", "_", "_\u200b", "~", "~\u200b", "`", "'").Replace(slackEscape.Replace(s))
}

func slackCode(s string) string { return slackEscape.Replace(strings.ReplaceAll(s, "`", "'")) }

// teams is an Adaptive Card in the form that Teams' workflows take for incoming webhooks.
func teams(m Message) any {
	block := func(text string, more map[string]any) map[string]any {
		b := map[string]any{"type": "TextBlock", "text": text, "wrap": true}
		for k, v := range more {
			b[k] = v
		}
		return b
	}
	body := []any{
		block(teamsText(m.title()), map[string]any{"size": "Large", "weight": "Bolder"}),
		block(teamsText(m.Summary), nil),
	}
	add := func(title string, news []News, more int) {
		if len(news) == 0 {
			return
		}
		body = append(body, block(title, map[string]any{"weight": "Bolder"}))
		facts := []any{}
		for _, n := range news {
			facts = append(facts, map[string]any{"title": n.Severity, "value": teamsText(cut(n.Text, 200) + " (" + cut(n.where(), 100) + ")")})
		}
		if more > 0 {
			facts = append(facts, map[string]any{"title": "…", "value": fmt.Sprintf("and %d more", more)})
		}
		body = append(body, map[string]any{"type": "FactSet", "facts": facts})
	}
	add("New", m.Opened, m.MoreOpened)
	add("Gone", m.Resolved, m.MoreResolved)
	card := map[string]any{
		"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body,
	}
	if m.Link != "" {
		card["actions"] = []any{map[string]any{"type": "Action.OpenUrl", "title": "Open the run", "url": m.Link}}
	}
	return map[string]any{
		"type":        "message",
		"attachments": []any{map[string]any{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}},
	}
}

// teamsText takes the meaning from what an Adaptive Card reads as Markdown.
func teamsText(s string) string {
	return strings.NewReplacer("[", "\\[", "]", "\\]", "*", "\\*", "_", "\\_").Replace(s)
}

// An alert is one of Alertmanager's API v2.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      *time.Time        `json:"endsAt,omitempty"`
	URL         string            `json:"generatorURL,omitempty"`
}

// alerts are one per drift: of one that is gone, ended; and one for a run that saw too little. Labels are few and the same for
// the same drift, since they are an alert's identity.
func alerts(m Message) any {
	out := []alert{}
	of := func(n News) alert {
		return alert{
			Labels: map[string]string{
				"alertname": "VMDrift", "severity": n.Severity, "facet": string(n.Facet), "key": cut(n.Key, 200), "op": string(n.Op), "drift": n.Drift,
			},
			Annotations: map[string]string{"summary": n.Text, "machines": n.where()},
			StartsAt:    n.Since, URL: n.Link,
		}
	}
	for _, n := range m.Opened {
		out = append(out, of(n))
	}
	for _, n := range m.Resolved {
		a := of(n)
		a.EndsAt = &m.Finished
		out = append(out, a)
	}
	coverage := alert{
		Labels:      map[string]string{"alertname": "VMDriftCoverage", "schedule": m.Schedule, "severity": "high"},
		Annotations: map[string]string{"summary": m.Alarm}, StartsAt: m.Finished, URL: m.Link,
	}
	if m.Alarm == "" {
		coverage.Annotations["summary"], coverage.EndsAt = "the run saw what it should", &m.Finished
	}
	return append(out, coverage)
}

// email sends the message as plain text: every reader shows it, and nothing in it can be markup.
func (c Channel) email(ctx context.Context, m Message) error {
	host, port, err := net.SplitHostPort(c.Server)
	number, errPort := strconv.Atoi(port)
	if err != nil || errPort != nil {
		return fmt.Errorf("server is host:port, not %q", c.Server)
	}
	msg := mail.NewMsg()
	if err := errors.Join(msg.From(c.From), msg.To(c.To...)); err != nil {
		return fmt.Errorf("the addresses of the mail: %w", err)
	}
	msg.Subject(cut(m.title()+": "+m.Summary, 200))
	msg.SetMessageIDWithValue(m.ID + "@vmdrift")
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(mail.TypeTextPlain, m.plain())
	conf, err := c.tlsConfig()
	if err != nil {
		return err
	}
	conf.ServerName = host
	options := []mail.Option{mail.WithPort(number), mail.WithTimeout(patience), mail.WithTLSConfig(conf)}
	switch c.TLS {
	case "none":
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("tls: none is for a server on loopback only, and %s is elsewhere", host)
		}
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case "tls":
		options = append(options, mail.WithSSL())
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if c.User != "" {
		if c.Password == nil {
			return errors.New("a user needs a password")
		}
		password, err := c.Password()
		if err != nil {
			return fmt.Errorf("read the password: %w", err)
		}
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.User), mail.WithPassword(password))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("send the mail: %w", err)
	}
	return nil
}

// plain is the message as text.
func (m Message) plain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", m.Summary)
	if m.Link != "" {
		fmt.Fprintf(&b, "%s\n", m.Link)
	}
	for _, n := range m.Notes {
		fmt.Fprintf(&b, "\n%s\n", n)
	}
	list := func(title string, news []News, more int) {
		if len(news) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n\n", title)
		for _, n := range news {
			fmt.Fprintf(&b, "  %-8s %s\n           on %s, since %s\n", n.Severity, n.Text, n.where(), n.Since.UTC().Format("2006-01-02 15:04 MST"))
			if n.Link != "" {
				fmt.Fprintf(&b, "           %s\n", n.Link)
			}
		}
		if more > 0 {
			fmt.Fprintf(&b, "  … and %d more\n", more)
		}
	}
	list("NEW", m.Opened, m.MoreOpened)
	list("GONE", m.Resolved, m.MoreResolved)
	if len(m.Trouble) > 0 {
		fmt.Fprintf(&b, "\nNOT SEEN WHOLE\n\n")
		for _, t := range m.Trouble {
			fmt.Fprintf(&b, "  %s: %s %s\n", t.Machine, t.Outcome, t.Reason)
		}
		if m.MoreTrouble > 0 {
			fmt.Fprintf(&b, "  … and %d more\n", m.MoreTrouble)
		}
	}
	return b.String()
}
