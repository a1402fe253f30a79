// Package progress reports progress, so that nothing long runs in silence.
package progress

import (
	"fmt"
	"io"
	"time"
)

// interval is how often a running task is reported.
const interval = 30 * time.Second

// Report reports what begins, every half minute while it runs, and its duration when stop is called.
func Report(to io.Writer, what string) (stop func()) {
	start := time.Now()
	fmt.Fprintf(to, "%s …\n", what)
	quiet := Remind(to, what)
	return func() {
		quiet()
		fmt.Fprintf(to, "%s took %.0f s\n", what, time.Since(start).Seconds())
	}
}

// Remind reports a running task every half minute until stop is called, and nothing about a shorter one.
func Remind(to io.Writer, what string) (stop func()) {
	start := time.Now()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				fmt.Fprintf(to, "%s … %.0f s\n", what, time.Since(start).Seconds())
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
