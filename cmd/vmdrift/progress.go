package main

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// A progress shows how far a scan is, with an estimate, on a terminal; elsewhere it is silent.
type progress struct{ bar *progressbar.ProgressBar }

func (a *app) newProgress(machines int) progress {
	if machines < 2 || !isTerminal(a.stderr) {
		return progress{}
	}
	return progress{progressbar.NewOptions(machines,
		progressbar.OptionSetWriter(a.stderr),
		progressbar.OptionSetDescription("scanning"),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetElapsedTime(false), // the estimate is what people look for
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish(),
	)}
}

func (p progress) add() {
	if p.bar != nil {
		_ = p.bar.Add(1)
	}
}

func (p progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
