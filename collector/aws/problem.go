package aws

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"

	"github.com/vmdrift/vmdrift/collector"
	"github.com/vmdrift/vmdrift/inventory"
)

// A problem is a collector.Problem with the outcome that it would be if it were all
// that a listing brought.
type problem struct {
	collector.Problem
	outcome      collector.Outcome
	what, region string // of which Part is made, if it is of a region
}

// together makes one problem of those that are the same in several regions: a
// permission that is missing is missing in all of them.
func together(all []problem) []problem {
	var out []problem
	first := map[[3]string]int{}
	for _, p := range all {
		key := [3]string{p.what, p.Err.Error(), p.Hint}
		i, again := first[key]
		if p.what == "" || !again {
			first[key] = len(out)
			out = append(out, p)
			continue
		}
		out[i].region += ", " + p.region
		out[i].Part = p.what + ", regions " + out[i].region
	}
	return out
}

// asError is the error of a listing that brought nothing but p and so many other problems.
func (p problem) asError(others int) error {
	err := fmt.Errorf("%s: %w", p.Part, p.Err)
	if others > 0 {
		err = fmt.Errorf("%w (and %d more)", err, others)
	}
	return &collector.Error{Outcome: p.outcome, Err: err, Hint: p.Hint}
}

// problemOf puts an error of the SDK into words, without any of AWS's (see the package).
func problemOf(part string, err error) problem {
	p := problem{Problem: collector.Problem{Part: part}, outcome: collector.Broken}
	action := actionOf(err)
	var api smithy.APIError
	if errors.As(err, &api) {
		code := inventory.Escape(clip(api.ErrorCode()))
		what := "failed"
		p.outcome, what, p.Hint = explain(code, api.ErrorMessage(), action)
		p.Err = fmt.Errorf("%s %s (%s)", action, what, code)
		return p
	}
	var dns *net.DNSError
	var cert *x509.UnknownAuthorityError
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		p.outcome, p.Err = collector.Cancelled, fmt.Errorf("%s was given up: %w", action, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		p.outcome, p.Err = collector.TimedOut, fmt.Errorf("%s had no answer in time", action)
		p.Hint = "Check the way to AWS (proxy, firewall), or leave regions out that are not used."
	case errors.Is(err, errLoop), errors.Is(err, errTask):
		p.Err = err
	case errors.As(err, &dns):
		p.outcome, p.Err = collector.Unreachable, fmt.Errorf("%s: no such host: %s", action, inventory.Escape(clip(dns.Name)))
		p.Hint = "Check the region's name and this machine's name server."
	case errors.As(err, &cert):
		p.outcome, p.Err = collector.Unreachable, fmt.Errorf("%s: the certificate is signed by nobody known", action)
		p.Hint = "Behind a proxy that opens TLS, set AWS_CA_BUNDLE to its certificate."
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &op):
		p.outcome, p.Err = collector.Unreachable, fmt.Errorf("%s: no connection to AWS", action)
		p.Hint = "Check the way to AWS: proxy (HTTPS_PROXY), firewall, endpoint."
	case isCredentials(err):
		p.outcome, p.Err = collector.AuthFailed, fmt.Errorf("%s: no credentials could be had", action)
		p.Hint = "Give some by AWS_PROFILE, AWS_ACCESS_KEY_ID, or the role of the instance; aws sts get-caller-identity tells whether they are good."
	default:
		p.Err = fmt.Errorf("%s: the answer is none of AWS's", action)
		p.Hint = "Check what stands between: proxy, endpoint."
	}
	return p
}

// explain says what AWS's error code means and what to do about it. The message is
// only searched for words that are known.
func explain(code, message, action string) (o collector.Outcome, what, hint string) {
	switch code {
	case "UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationError":
		hint = "Allow " + action + " to the identity that vmdrift uses; docs/aws.md has the whole policy."
		switch {
		case action == "sts:AssumeRole":
			hint = "Allow sts:AssumeRole on this role to the credentials, and let its trust policy name them, with the external id."
		case strings.Contains(message, "service control policy"):
			hint = "A service control policy of the organisation denies " + action + ": allow it there, or leave the region out."
		case strings.Contains(message, "explicit deny"):
			hint = "A policy denies " + action + " explicitly: take that out, or leave the region out."
		}
		return collector.AuthFailed, "is not allowed", hint
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return collector.AuthFailed, "was refused: the credentials have expired", "Renew them (aws sso login), or use a role that renews itself."
	case "AuthFailure", "OptInRequired":
		return collector.AuthFailed, "was refused", "Are the credentials good, and is the region enabled in this account?"
	case "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "MissingAuthenticationToken":
		return collector.AuthFailed, "was refused: AWS does not know the access key", "Check the access key, and that the region is enabled in this account."
	case "SignatureDoesNotMatch", "IncompleteSignature", "InvalidSignatureException":
		return collector.AuthFailed, "was refused: the secret key is wrong", "Check the secret key, and the clock of this machine."
	case "RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestThrottled", "RequestThrottledException", "EC2ThrottledException", "SlowDown":
		return collector.Broken, "was throttled to the end", "The next run tries again; list fewer regions at once, or have AWS raise the account's request limit."
	case "InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable", "ServerException":
		return collector.Broken, "failed at AWS", "The next run tries again; health.aws.amazon.com tells of outages."
	}
	return collector.Broken, "failed", ""
}

// actionOf names the action of the innermost call, as IAM does: to call EC2, a role is assumed.
func actionOf(err error) string {
	action := "the call"
	for e := err; e != nil; {
		var op *smithy.OperationError
		if !errors.As(e, &op) {
			break
		}
		action = strings.ToLower(op.Service()) + ":" + op.Operation()
		e = op.Err
	}
	return action
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// isCredentials reports whether a call was not made for lack of credentials. The SDK
// has no type for it.
func isCredentials(err error) bool {
	text := err.Error()
	for _, s := range []string{"get identity", "retrieve credentials", "refresh cached credentials", "static credentials are empty"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// clip bounds a word that comes from outside.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// isGone reports whether an instance was terminated since it was listed.
func isGone(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "InvalidInstanceID.NotFound"
}
