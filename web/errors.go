package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/vmdrift/vmdrift/drift"
	"github.com/vmdrift/vmdrift/inventory"
)

// A problem is an error with what its page says.
type problem struct {
	status   int
	title    string
	sentence string // what is wrong, for the person who asked
	way      string // where to go from here
	wayText  string
}

func (p problem) Error() string { return p.sentence }

// missing is what is asked for by name and is not there.
func missing(sentence, way, wayText string) error {
	return problem{http.StatusNotFound, "Not found", sentence, way, wayText}
}

// unreadable is a request that nobody can make sense of.
func unreadable(sentence, way, wayText string) error {
	return problem{http.StatusBadRequest, "Not understood", sentence, way, wayText}
}

// problemOf is the one table from errors to what is said of them.
func problemOf(err error) problem {
	var p problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, drift.ErrNotFound):
		return problem{http.StatusNotFound, "Not found", "That is not there, or not any more.", "/", "To the overview"}
	case errors.Is(err, context.DeadlineExceeded):
		return problem{
			http.StatusServiceUnavailable, "It took too long", "The answer was not there within 30 seconds; ask for less, or later again.",
			"/", "To the overview",
		}
	}
	return problem{
		http.StatusInternalServerError, "Something went wrong", "vmdrift could not answer that; its log says why.", "/", "To the overview",
	}
}

// handle makes an http.Handler of a handler: the one place where errors become pages.
func (s *server) handle(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		ended := r.Context().Err()
		if err == nil || errors.Is(ended, context.Canceled) {
			return // answered, or nobody is there any more
		}
		p := problemOf(errors.Join(err, ended)) // whatever the database made of it, the time was up
		if p.status >= http.StatusInternalServerError {
			s.log.ErrorContext(r.Context(), "request failed", "path", inventory.Escape(r.URL.Path), "err", err)
		}
		s.fail(w, r, p)
	})
}

type problemPage struct {
	base
	Sentence, Way, WayText string
}

func (s *server) fail(w http.ResponseWriter, r *http.Request, p problem) {
	page := problemPage{s.base(p.title, ""), visible(p.sentence), p.way, p.wayText}
	if err := s.render(w, p.status, "problem", page); err != nil {
		s.log.ErrorContext(r.Context(), "error page failed", "err", err)
		http.Error(w, p.sentence, p.status)
	}
}

func (s *server) nowhere(http.ResponseWriter, *http.Request) error {
	return missing("There is no such page.", "/", "To the overview")
}
