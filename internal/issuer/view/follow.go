package view

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// Connect asks a signer for the view of the issuer's node. The view ends with the context.
type Connect func(ctx context.Context) (io.ReadCloser, error)

// patience is how long a view may be silent before the connection counts as lost.
const patience = 3 * signerapi.HeartbeatSeconds * time.Second

// retry is the backoff of a view that ended. The first attempts come soon, because another replica may be there, and the later ones
// not too late, because for a while new connections may still lead to one that is gone.
var retry = wait.Backoff{Duration: 50 * time.Millisecond, Factor: 2, Jitter: 1, Cap: 3 * time.Second, Steps: math.MaxInt32}

// errEnded means that the signer ended the view, as it does when it stops and once in a while.
var errEnded = errors.New("the signer ended the view")

// Start follows the view until the context ends.
func (v *View) Start(ctx context.Context) error {
	backoff := retry
	for round := 1; ctx.Err() == nil; round++ {
		complete, err := v.follow(ctx, round)
		connected.Set(0)
		if complete {
			backoff = retry
		}
		if ctx.Err() == nil && !errors.Is(err, errEnded) {
			v.log.Error(err, "the view of the node ended, and is asked for again")
		}
		select {
		case <-time.After(backoff.Step()):
		case <-ctx.Done():
		}
	}
	return nil
}

// NeedLeaderElection returns false: every issuer follows its node.
func (v *View) NeedLeaderElection() bool { return false }

// follow takes the changes of one view, and reports whether it was complete.
func (v *View) follow(ctx context.Context, round int) (complete bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(patience, func() { cancel(errors.New("the signer is silent")) })
	defer silence.Stop()
	body, err := v.connect(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = body.Close() }()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, signerapi.MaxChangeBytes)
	for lines.Scan() {
		silence.Reset(patience)
		var change signerapi.ViewChange
		if err := json.Unmarshal(lines.Bytes(), &change); err != nil {
			return complete, fmt.Errorf("parse a line of the view: %w", err)
		}
		if err := v.apply(change, round); err != nil {
			return complete, err
		}
		if change.Complete {
			complete = true
			connected.Set(1)
		}
	}
	if err := lines.Err(); err != nil {
		return complete, fmt.Errorf("read the view: %w", errors.Join(context.Cause(ctx), err))
	}
	return complete, errEnded
}
