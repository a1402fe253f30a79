// Package slowbody has bodies that take longer than a server's limits, but make progress.
package slowbody

import (
	"context"
	"io"
	"strings"
	"time"
)

const (
	part  = "part"
	parts = 4
)

// Content is what a Body has.
var Content = strings.Repeat(part, parts)

// Body comes in four parts, with a pause before each but the first.
type Body struct {
	ctx   context.Context
	pause time.Duration
	read  int
}

// New returns a body that ends early with the context.
func New(ctx context.Context, pause time.Duration) *Body { return &Body{ctx: ctx, pause: pause} }

// Read implements io.Reader.
func (b *Body) Read(into []byte) (int, error) {
	if b.read == parts {
		return 0, io.EOF
	}
	if b.read++; b.read > 1 {
		select {
		case <-time.After(b.pause):
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	return copy(into, part), nil
}
