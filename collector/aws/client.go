package aws

import (
	"bytes"
	"io"
	"net/http"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
)

// A wholeBody client sends a request's body out of memory. The SDK closes the body that it gave as soon
// as the answer begins. Near by, on loopback, that is before the transport has looked for the body's end: it then
// takes the request for broken and closes the connection in the middle of the answer. Our bodies are a few hundred bytes.
type wholeBody struct{ awssdk.HTTPClient }

// Do implements aws.HTTPClient.
func (c wholeBody) Do(req *http.Request) (*http.Response, error) {
	if req.Body != nil && req.Body != http.NoBody {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	return c.HTTPClient.Do(req)
}
