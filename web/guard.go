package web

import (
	"context"
	"net/http"
	"time"
)

// Limits on a request. What is asked for stands in its URL; a body has no meaning here.
const (
	maxURL    = 8 << 10          // bytes of path and query
	maxBody   = 1 << 10          // bytes
	timeLimit = 30 * time.Second // for the answer
)

// policy lets a page load what is ours and run nothing that stands in it: text that got through
// all escaping would still do nothing.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'"

// guard is what holds for every request, before anybody looks at what it wants.
func (s *server) guard(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "private, no-cache")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			s.fail(w, r, problem{
				status: http.StatusMethodNotAllowed, title: "Only to read", sentence: "Nothing can be changed here: this dashboard only reads.",
				way: "/", wayText: "To the overview",
			})
			return
		case len(r.URL.EscapedPath())+len(r.URL.RawQuery) > maxURL:
			s.fail(w, r, problem{
				status: http.StatusRequestURITooLong, title: "Too long", sentence: "The address is longer than 8 KiB.",
				way: "/", wayText: "To the overview",
			})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		ctx, cancel := context.WithTimeout(r.Context(), timeLimit)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
