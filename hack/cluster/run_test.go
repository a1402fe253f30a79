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

func TestACheckoutsClustersHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{"kube-imds": true}
	for _, checkout := range []string{"/a", "/b", "/a/b"} {
		for _, target := range []string{"test-e2e", "sdk-matrix"} {
			name := ownName(target, checkout)
			if _, err := layout.New(name); err != nil || !strings.HasPrefix(name, target+"-") || seen[name] {
				t.Errorf("the cluster of %s in %s is %s: %v", target, checkout, name, err)
			}
			seen[name] = true
		}
	}
}

func TestACheckoutIsTheSameByALink(t *testing.T) {
	checkout, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(checkout, link); err != nil {
		t.Fatal(err)
	}
	if direct, byLink := ownName("test-e2e", checkout), ownName("test-e2e", link); direct != byLink {
		t.Errorf("its cluster is %s, and by a link %s", direct, byLink)
	}
}

func TestATenancyLeavesNothingUnlessItIsKept(t *testing.T) {
	failed := errors.New("failed")
	for name, test := range map[string]struct {
		fails string
		keep  bool
		want  string
	}{
		"all is well":                      {want: "clear up work down"},
		"what was left cannot be removed":  {fails: "clear", want: "clear up work down"},
		"the cluster does not come up":     {fails: "up", want: "clear up down"},
		"the work fails":                   {fails: "work", want: "clear up work down"},
		"the cluster does not go down":     {fails: "down", want: "clear up work down"},
		"it is kept":                       {keep: true, want: "clear up work kept"},
		"it is kept, and the work fails":   {keep: true, fails: "work", want: "clear up work kept"},
		"it is kept, and does not come up": {keep: true, fails: "up", want: "clear up kept"},
	} {
		t.Run(name, func(t *testing.T) {
			var done []string
			step := func(name string) func() error {
				return func() error {
					done = append(done, name)
					if name == test.fails {
						return failed
					}
					return nil
				}
			}
			within := func(name string) func(context.Context) error {
				return func(context.Context) error { return step(name)() }
			}
			tenancy := tenancy{clear: step("clear"), down: step("down"), up: within("up"), work: within("work")}
			if test.keep {
				tenancy.kept = func() { done = append(done, "kept") }
			}
			err := tenancy.run(t.Context())
			if wantErr := test.fails != "" && test.fails != "clear"; errors.Is(err, failed) != wantErr {
				t.Errorf("got error %v, want one: %v", err, wantErr)
			}
			if diff := cmp.Diff(test.want, strings.Join(done, " ")); diff != "" {
				t.Errorf("what was done (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASecondRunWaitsForTheFirst(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can change a cluster")
	}
	c := testCluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := c.inTurn(t.Context(), func() error {
		cancel()
		err := c.inTurn(ctx, func() error { return errors.New("two had it at once") })
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "held by process") {
			t.Errorf("while another has it: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.inTurn(t.Context(), func() error { return nil }); err != nil {
		t.Errorf("once the first is done: %v", err)
	}
}
