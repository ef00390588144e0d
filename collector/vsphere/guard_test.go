package vsphere

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
)

// passed fails the test if anything gets to it.
type passed struct{ t *testing.T }

func (p passed) RoundTrip(context.Context, soap.HasFault, soap.HasFault) error {
	p.t.Error("the call went through")
	return nil
}

func TestTheGuardLetsNothingThroughThatChangesAnything(t *testing.T) {
	g := guard{passed{t}}
	for _, call := range []soap.HasFault{
		&methods.PowerOffVM_TaskBody{}, &methods.ReconfigVM_TaskBody{}, &methods.Destroy_TaskBody{},
		&methods.StartProgramInGuestBody{}, &methods.AcquireTicketBody{}, &methods.CreateFilterBody{},
	} {
		if err := g.RoundTrip(t.Context(), call, call); err == nil || !strings.Contains(err.Error(), "is not among the calls") {
			t.Errorf("%T: %v", call, err)
		}
	}
}

func TestTheGuardOfTheRESTAPIOnlyReads(t *testing.T) {
	const cis = "https://vc/rest/com/vmware/cis/"
	for url, may := range map[string]bool{
		"POST " + cis + "session":              true,
		"DELETE " + cis + "session":            true,
		"GET " + cis + "tagging/tag":           true,
		"GET " + cis + "tagging/category/id:1": true,
		"POST " + cis + "tagging/tag-association?~action=list-attached-objects-on-tags": true,
		"POST " + cis + "tagging/tag":                                                       false,
		"DELETE " + cis + "tagging/tag/id:1":                                                false,
		"PATCH " + cis + "tagging/category/id:1":                                            false,
		"POST " + cis + "tagging/tag-association/id:1?~action=attach":                       false,
		"POST " + cis + "tagging/tag-association?~action=attach-tag-to-multiple-objects":    false,
		"POST " + cis + "session?~action=get":                                               false,
		"GET https://vc/rest/vcenter/vm":                                                    false,
		"POST " + cis + "tagging/tag-association?~action=list-attached-objects-on-tags&x=1": false,
	} {
		method, target, _ := strings.Cut(url, " ")
		req, err := http.NewRequest(method, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := mayRequest(req); got != may {
			t.Errorf("%s: %v", url, got)
		}
	}
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	b := &limitedBody{ReadCloser: io.NopCloser(endless{}), left: 1 << 20}
	if n, err := io.Copy(io.Discard, b); err == nil || n > 1<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
