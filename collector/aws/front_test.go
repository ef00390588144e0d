package aws

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A call is one request to AWS as it came over the wire.
type call struct {
	service, action   string // ec2, DescribeInstances
	region, accessKey string // as signed
	form              url.Values
	body              string
}

// An answer is what a front says in the place of what is behind it.
type answer struct {
	status int
	body   string
}

// A front stands before AWS: it keeps what is called, and answers what it is told to itself.
type front struct {
	*httptest.Server
	mu    sync.Mutex
	calls []call
	// answer returns nil to let a call through.
	answer func(call) *answer
}

var scope = regexp.MustCompile(`Credential=([^/]*)/[0-9]{8}/([^/]*)/([^/]*)/aws4_request`)

// newFront is one before the server at backend, or before nothing.
func newFront(t testing.TB, backend string, reply func(call) *answer) *front {
	f := &front{answer: reply}
	var behind http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
	})
	if backend != "" {
		u := must(url.Parse(backend))(t)
		behind = httputil.NewSingleHostReverseProxy(u)
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c := call{body: string(body)}
		if m := scope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
			c.accessKey, c.region, c.service = m[1], m[2], m[3]
		}
		if _, action, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
			c.action = action
		} else if c.form, _ = url.ParseQuery(c.body); c.form != nil {
			c.action = c.form.Get("Action")
		}
		f.mu.Lock()
		f.calls = append(f.calls, c)
		f.mu.Unlock()
		if f.answer != nil {
			if a := f.answer(c); a != nil {
				if c.service == "ecs" {
					w.Header().Set("Content-Type", "application/x-amz-json-1.1")
				}
				w.WriteHeader(a.status)
				_, _ = io.WriteString(w, a.body)
				return
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// count says how often an action was called.
func (f *front) count(action string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c.action == action {
			n++
		}
	}
	return n
}

// actions are those that were called, as IAM names them, sorted.
func (f *front) actions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, c := range f.calls {
		out = append(out, c.service+":"+c.action)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (f *front) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}

// refuse is EC2's answer to a call that it does not carry out.
func refuse(status int, code, message string) *answer {
	return &answer{status, fmt.Sprintf(`<?xml version="1.0"?><Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>r-1</RequestID></Response>`, code, message)}
}

// refuseSTS and refuseJSON are those of STS and ECS.
func refuseSTS(status int, code, message string) *answer {
	return &answer{status, fmt.Sprintf(`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`, code, message)}
}

func refuseJSON(status int, code, message string) *answer {
	return &answer{status, fmt.Sprintf(`{"__type":%q,"message":%q}`, code, message)}
}

// callerIs is STS's answer to the question of who calls.
func callerIs(account string) *answer {
	return &answer{200, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::` + account +
		`:user/vmdrift</Arn><UserId>AIDA1</UserId><Account>` + account + `</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`}
}
