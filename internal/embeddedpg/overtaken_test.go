package embeddedpg

import (
	"log/slog"
	"sync"
	"syscall"
	"testing"
)

// Two servers are started on one folder, as by a process that was killed between
// starting one and its first word, and by the next process: they meet in one.
func TestAServerThatNobodyKnewOfIsJoined(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	must(t, startHere(t, dir).Stop())
	c, err := newCluster(dir, durable, slog.New(slog.DiscardHandler))
	must(t, err)
	users, err := lockFile(t.Context(), c.path("users.lock"), syscall.LOCK_SH) // so that no watchdog acts
	must(t, err)
	defer users.close()

	var wg sync.WaitGroup
	var errs [4]error
	for i := range errs { // without start.lock, which the killed process held
		wg.Go(func() { _, errs[i] = c.run(t.Context()) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	must(t, c.halt(t.Context()))
}
