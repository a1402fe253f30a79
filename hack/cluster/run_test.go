package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

func TestClusterNamesDifferByCheckoutAndTarget(t *testing.T) {
	seen := map[string]bool{"kube-imds": true}
	for _, checkout := range []string{"/a", "/b", "/a/b"} {
		for _, target := range []string{"test-e2e", "sdk-matrix"} {
			name := ownName(target, checkout)
			if _, err := layout.New(name); err != nil || !strings.HasPrefix(name, target+"-") || seen[name] {
				t.Errorf("target %s in %s has the cluster name %s, error %v", target, checkout, name, err)
			}
			seen[name] = true
		}
	}
}

func TestSymlinkToCheckoutGivesTheSameName(t *testing.T) {
	checkout, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(checkout, link); err != nil {
		t.Fatal(err)
	}
	if direct, byLink := ownName("test-e2e", checkout), ownName("test-e2e", link); direct != byLink {
		t.Errorf("name = %s, by symlink %s", direct, byLink)
	}
}

func TestClusterIsTakenDownUnlessKept(t *testing.T) {
	errFailed := errors.New("failed")
	for name, test := range map[string]struct {
		failAt string
		keep   bool
		want   string
	}{
		"success":                         {want: "clear up work down"},
		"leftovers cannot be removed":     {failAt: "clear", want: "clear up work down"},
		"cluster does not start":          {failAt: "up", want: "clear up down"},
		"command fails":                   {failAt: "work", want: "clear up work down"},
		"cluster does not stop":           {failAt: "down", want: "clear up work down"},
		"kept":                            {keep: true, want: "clear up work kept"},
		"kept and command fails":          {keep: true, failAt: "work", want: "clear up work kept"},
		"kept and cluster does not start": {keep: true, failAt: "up", want: "clear up kept"},
	} {
		t.Run(name, func(t *testing.T) {
			var steps []string
			step := func(name string) func() error {
				return func() error {
					steps = append(steps, name)
					if name == test.failAt {
						return errFailed
					}
					return nil
				}
			}
			stepWithContext := func(name string) func(context.Context) error {
				return func(context.Context) error { return step(name)() }
			}
			tenancy := tenancy{clear: step("clear"), down: step("down"), up: stepWithContext("up"), work: stepWithContext("work")}
			if test.keep {
				tenancy.kept = func() { steps = append(steps, "kept") }
			}
			err := tenancy.run(t.Context())
			if wantErr := test.failAt != "" && test.failAt != "clear"; errors.Is(err, errFailed) != wantErr {
				t.Errorf("got error %v, want an error: %v", err, wantErr)
			}
			if diff := cmp.Diff(test.want, strings.Join(steps, " ")); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSecondRunWaitsForFirst(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can change a cluster")
	}
	c := testCluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := c.inTurn(t.Context(), func() error {
		cancel()
		err := c.inTurn(ctx, func() error { return errors.New("two runs used the cluster at once") })
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "held by process") {
			t.Errorf("during another run: got error %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.inTurn(t.Context(), func() error { return nil }); err != nil {
		t.Errorf("after the first run: %v", err)
	}
}
