package vsphere

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/vim25/soap"
)

// mayCall are the methods of the SOAP API that are ever called. A login, a view of
// one's own and the end of a session are all that they change.
var mayCall = map[string]bool{
	"RetrieveServiceContent":       true,
	"Login":                        true,
	"Logout":                       true,
	"CreateContainerView":          true,
	"DestroyView":                  true,
	"RetrievePropertiesEx":         true,
	"ContinueRetrievePropertiesEx": true,
	"CancelRetrievePropertiesEx":   true,
	"HostImageConfigGetAcceptance": true,
}

// A guard is the only door to the SOAP API: what is not on the list does not pass,
// whichever function of the library asks for it.
type guard struct{ next soap.RoundTripper }

func (g guard) RoundTrip(ctx context.Context, req, res soap.HasFault) error {
	method := strings.TrimSuffix(reflect.Indirect(reflect.ValueOf(req)).Type().Name(), "Body")
	if !mayCall[method] {
		return fmt.Errorf("%s is not among the calls that this program may make", method)
	}
	return g.next.RoundTrip(ctx, req, res)
}

// maxAnswer bounds the bytes of one answer: a page of machines has some ten million.
const maxAnswer = 1 << 30

var errTooMuch = errors.New("the server's answer is larger than 1 GiB")

// A limited is a transport whose answers end in an error rather than fill the memory.
type limited struct{ next http.RoundTripper }

func (t limited) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(req)
	if err == nil {
		res.Body = &limitedBody{ReadCloser: res.Body, left: maxAnswer}
	}
	return res, err
}

type limitedBody struct {
	io.ReadCloser
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooMuch
	}
	return n, err
}

// A restGuard is the guard of the REST API, which tags need: reading, a login and its end.
type restGuard struct {
	next http.RoundTripper
	// refused is the status of the last answer that was no success: the library makes text of it.
	refused int
}

func (g *restGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	if !mayRequest(req) {
		return nil, fmt.Errorf("%s %s is not among the calls that this program may make", req.Method, req.URL.Path)
	}
	res, err := g.next.RoundTrip(req)
	if err == nil && res.StatusCode >= http.StatusBadRequest {
		g.refused = res.StatusCode
	}
	return res, err
}

func mayRequest(req *http.Request) bool {
	const cis = "/rest/com/vmware/cis/"
	path, ok := strings.CutPrefix(req.URL.Path, cis)
	switch {
	case !ok:
		return false
	case path == "session":
		return req.URL.RawQuery == "" && (req.Method == http.MethodPost || req.Method == http.MethodDelete)
	case strings.HasPrefix(path, "tagging/") && req.Method == http.MethodGet:
		return true
	case path == "tagging/tag-association":
		return req.Method == http.MethodPost && req.URL.RawQuery == "~action=list-attached-objects-on-tags"
	}
	return false
}
