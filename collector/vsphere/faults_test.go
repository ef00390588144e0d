package vsphere

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmdrift/vmdrift/collector"
	vimsession "github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
)

// manyPages is a model whose machines fill some pages of the size that the test asks for.
func manyPages(t *testing.T) *sim {
	t.Helper()
	return newSim(t, func(m *simulator.Model) { m.Machine = 8 })
}

// smallPages makes the simulator give pages of four machines.
func smallPages(src *Source) { src.page = 4 }

func TestAListingFailsInOneSentenceWithTheWayOut(t *testing.T) {
	s := newSim(t)
	other := strings.Repeat("AB:", 31) + "AB"
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, c := range []struct {
		what      string
		change    func(*Options)
		before    func(call string, n int, w http.ResponseWriter, r *http.Request) bool
		outcome   collector.Outcome
		err, hint string // regular expressions
	}{
		{
			what: "wrong password", change: func(o *Options) {
				o.Password = func() (string, error) { return "wrong-" + password, nil }
			},
			outcome: collector.AuthFailed, err: `does not take user vmdrift@vsphere\.local with this password`, hint: "domain",
		},
		{
			what: "no password", change: func(o *Options) {
				o.Password = func() (string, error) { return "", errors.New("VCENTER_PASSWORD is not set") }
			},
			outcome: collector.AuthFailed, err: "VCENTER_PASSWORD is not set", hint: "source lab",
		},
		{
			what: "unknown host", change: func(o *Options) { o.URL = "vcenter.invalid" },
			outcome: collector.Unreachable, err: "no address is known for vcenter.invalid", hint: "url",
		},
		{
			what: "nobody listens", change: func(o *Options) { o.URL = strings.Replace(gone.URL, "http:", "https:", 1) },
			outcome: collector.Unreachable, err: "no connection to 127.0.0.1:.*refused", hint: "port",
		},
		{
			what: "certificate of an unknown authority", change: func(o *Options) { o.Thumbprint = "" },
			outcome: collector.HostKeyUnknown, err: "is not trusted", hint: thumbprint(s.server.Certificate()),
		},
		{
			what: "another certificate than the pinned one", change: func(o *Options) { o.Thumbprint = other },
			outcome: collector.HostKeyChanged, err: "not the pinned one.*" + thumbprint(s.server.Certificate()), hint: "renewed",
		},
		{
			what: "no permission", before: func(call string, _ int, w http.ResponseWriter, _ *http.Request) bool {
				return call == "CreateContainerView" && answerFault(w, "NoPermission", `<object type="Folder">group-d1</object><privilegeId>System.View</privilegeId>`)
			},
			outcome: collector.AuthFailed, err: `privilege System\.View is missing on Folder group-d1`, hint: "Read-only",
		},
		{
			what: "a session that never lasts", before: func(call string, _ int, w http.ResponseWriter, _ *http.Request) bool {
				return call == "CreateContainerView" && answerFault(w, "NotAuthenticated", "")
			},
			outcome: collector.AuthFailed, err: "again and again",
		},
		{
			what: "a fault of the server", before: func(call string, _ int, w http.ResponseWriter, _ *http.Request) bool {
				return call == "RetrievePropertiesEx" && answerFault(w, "RuntimeFault", "")
			},
			outcome: collector.Broken, err: "read the inventory",
		},
		{
			what: "a server that is starting", before: func(_ string, _ int, w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, "starting", http.StatusServiceUnavailable)
				return true
			},
			outcome: collector.Broken, err: "503",
		},
		{
			what: "an answer that is no XML", before: func(call string, _ int, w http.ResponseWriter, _ *http.Request) bool {
				_, _ = w.Write([]byte("<html>hello"))
				return true
			},
			outcome: collector.Broken, err: ".",
		},
		{
			what: "a server that repeats the password", before: func(call string, _ int, w http.ResponseWriter, _ *http.Request) bool {
				return call == "Login" && answerText(w, "bad login: "+password)
			},
			outcome: collector.Broken, err: `\[password\]`,
		},
		{
			what: "a server that never answers", change: func(o *Options) { o.Timeout = 50 * time.Millisecond },
			before: func(call string, _ int, _ http.ResponseWriter, r *http.Request) bool {
				if call == "RetrievePropertiesEx" {
					<-r.Context().Done()
				}
				return false
			},
			outcome: collector.TimedOut, err: "within 50ms", hint: "timeout",
		},
	} {
		t.Run(c.what, func(t *testing.T) {
			s.t = t
			s.onCall(c.before)
			if c.change == nil {
				c.change = func(*Options) {}
			}
			l, err := s.source(c.change).List(t.Context())
			var e *collector.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v, %d machines", err, len(l.Machines))
			}
			if e.Outcome != c.outcome || !regexp.MustCompile(c.err).MatchString(e.Error()) || !regexp.MustCompile(c.hint).MatchString(e.Hint) {
				t.Errorf("%s: %s (%s)", e.Outcome, e.Error(), e.Hint)
			}
			if text := e.Error() + e.Hint; strings.Contains(text, password) || strings.Contains(text, "\n") {
				t.Errorf("the password or a line's end is in %q", text)
			}
		})
	}
}

// answerFault answers as a vCenter does.
func answerFault(w http.ResponseWriter, kind, detail string) bool {
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = w.Write([]byte(`<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>no</faultstring><detail><Fault xmlns="urn:vim25" xsi:type="` +
		kind + `">` + detail + `</Fault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>`))
	return true
}

func answerText(w http.ResponseWriter, text string) bool {
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = w.Write([]byte(`<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>` + text + `</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>`))
	return true
}

func TestASessionThatExpiresMidPageIsRenewedOnce(t *testing.T) {
	s := manyPages(t)
	whole := listed(t, s.source())
	expired := false
	s.onCall(func(call string, n int, _ http.ResponseWriter, r *http.Request) bool {
		if call == "ContinueRetrievePropertiesEx" && n == 3 && !expired {
			expired = true
			c, err := r.Cookie(soap.SessionCookieName)
			if err != nil {
				t.Error(err)
				return false
			}
			if err := vimsession.NewManager(s.admin).TerminateSession(r.Context(), []string{c.Value}); err != nil {
				t.Error(err)
			}
		}
		return false
	})
	src := s.source()
	smallPages(src)
	l := listed(t, src)
	if !expired || s.count("Login") != 2 {
		t.Errorf("expired: %v, %d logins", expired, s.count("Login"))
	}
	if len(l.Machines) != len(whole.Machines) {
		t.Errorf("%d machines, want %d", len(l.Machines), len(whole.Machines))
	}
}

func TestAnExpiredSessionIsRenewedInTheNextListing(t *testing.T) {
	s := newSim(t)
	src := s.source()
	listed(t, src)
	var keys []string
	s.onCall(func(call string, _ int, _ http.ResponseWriter, r *http.Request) bool {
		if c, err := r.Cookie(soap.SessionCookieName); err == nil && !slices.Contains(keys, c.Value) && len(keys) == 0 {
			keys = append(keys, c.Value)
			if err := vimsession.NewManager(s.admin).TerminateSession(r.Context(), keys); err != nil {
				t.Error(err)
			}
		}
		return false
	})
	listed(t, src)
	if n := s.count("Login"); n != 1 {
		t.Errorf("%d logins", n)
	}
}

func TestAMachineThatIsDeletedMidPageDoesNotFailTheListing(t *testing.T) {
	s := manyPages(t)
	whole := listed(t, s.source())
	s.onCall(func(call string, n int, _ http.ResponseWriter, _ *http.Request) bool {
		if call == "ContinueRetrievePropertiesEx" && n == 2 {
			s.destroy("DC0_C0_RP0_VM7")
		}
		return false
	})
	src := s.source()
	smallPages(src)
	if n := len(listed(t, src).Machines); n < len(whole.Machines)-1 {
		t.Errorf("%d machines, of %d", n, len(whole.Machines))
	}
	s.onCall(nil)
	if n := len(listed(t, src).Machines); n != len(whole.Machines)-1 {
		t.Errorf("%d machines after it, of %d", n, len(whole.Machines))
	}
}

func TestAPageThatIsGoneIsAskedForAgain(t *testing.T) {
	s := manyPages(t)
	for _, fault := range []string{"ManagedObjectNotFound", "InvalidProperty"} {
		failed := false
		s.onCall(func(call string, _ int, w http.ResponseWriter, _ *http.Request) bool {
			if call != "ContinueRetrievePropertiesEx" || failed {
				return false
			}
			failed = true
			detail := `<name>token</name>`
			if fault == "ManagedObjectNotFound" {
				detail = `<obj type="VirtualMachine">vm-1</obj>`
			}
			return answerFault(w, fault, detail)
		})
		src := s.source()
		smallPages(src)
		if n := kinds(listed(t, src))[collector.VM]; n != 16 || !failed {
			t.Errorf("%s: %d machines, failed: %v", fault, n, failed)
		}
	}
}

func TestACancelledListingEndsAtOnce(t *testing.T) {
	s := newSim(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.onCall(func(call string, _ int, _ http.ResponseWriter, r *http.Request) bool {
		if call == "RetrievePropertiesEx" {
			cancel()
			<-r.Context().Done() // the client hangs up
			return true
		}
		return false
	})
	_, err := s.source().List(ctx)
	if collector.OutcomeOf(err) != collector.Cancelled {
		t.Error(err)
	}
}

func TestADelayIsNoFailure(t *testing.T) {
	s := newSim(t)
	s.model.DelayConfig = simulator.DelayConfig{MethodDelay: map[string]int{"RetrievePropertiesEx": 20}}
	listed(t, s.source())
}

func TestTagsThatAreRefusedAreAProblemAndTheRestIsListed(t *testing.T) {
	s := newSim(t)
	for status, want := range map[int]string{http.StatusForbidden: "may not read tags", http.StatusServiceUnavailable: "does not answer", http.StatusUnauthorized: "may not read tags"} {
		s.onCall(func(call string, _ int, w http.ResponseWriter, _ *http.Request) bool {
			if strings.HasPrefix(call, "GET /rest/com/vmware/cis/tagging/tag") {
				w.WriteHeader(status)
				return true
			}
			return false
		})
		l, err := s.source().List(t.Context())
		if err != nil || len(l.Machines) == 0 || len(l.Problems) != 1 || l.Problems[0].Hint == "" || !strings.Contains(l.Problems[0].Err.Error(), want) {
			t.Errorf("%d: %v, %d machines, %+v", status, err, len(l.Machines), l.Problems)
		}
		if o := facet(t, l.Machines[0], "tags"); o.ItemsComplete {
			t.Error("tags that were not read are told to be complete")
		}
	}
}
