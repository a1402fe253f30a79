// Package progress keeps whoever waits informed: nothing that takes long goes on in silence.
package progress

import (
	"fmt"
	"io"
	"time"
)

// interval is how often it is said that something still goes on.
const interval = 30 * time.Second

// Report says what begins, again every half minute that it goes on, and how long it took once stop is called.
func Report(to io.Writer, what string) (stop func()) {
	start := time.Now()
	fmt.Fprintf(to, "%s …\n", what)
	quiet := Remind(to, what)
	return func() {
		quiet()
		fmt.Fprintf(to, "%s took %.0f s\n", what, time.Since(start).Seconds())
	}
}

// Remind says every half minute what goes on, until stop is called: nothing of what is done sooner.
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
