package mint

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/failure"
)

// A failing identity is tried less and less often, and its failure is told in between.
func TestPausesGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFederated()
		f.fails(&entra.Error{Status: http.StatusUnauthorized, Code: 70025})
		for range 600 {
			if _, err := f.Mint(t.Context(), of("pod")); failure.Of(err).Reason != failure.ReasonEntra {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		// 1, 2, 4, … up to 60 seconds, with a quarter of jitter.
		if asked := f.asked.Load(); asked < 10 || asked > 16 {
			t.Errorf("Entra was asked %d times in ten minutes", asked)
		}
	})
}

func TestPauseOfAChangedIdentityEnds(t *testing.T) {
	t.Parallel()
	f := newFederated()
	f.fails(&entra.Error{Status: http.StatusUnauthorized, Code: 700016})
	request := of("pod")
	for range 3 {
		_, _ = f.Mint(t.Context(), request)
	}
	request.Identity.Status.ClientID = "another"
	_, _ = f.Mint(t.Context(), request)
	if asked := f.asked.Load(); asked != 2 {
		t.Errorf("Entra was asked %d times, want twice", asked)
	}
}

// A pod that invents resources does not make its identity hammer Entra.
func TestManyResourcesAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFederated()
		f.fails(&entra.Error{Status: http.StatusBadRequest, Code: 500011})
		for n := range 5 * maxPauses {
			request := of("pod")
			request.Resource = fmt.Sprintf("https://%d.example", n)
			_, _ = f.Mint(t.Context(), request)
		}
		if asked := f.asked.Load(); asked > identityBurst {
			t.Errorf("Entra was asked %d times", asked)
		}
		if len(f.Pauses.pauses) > maxPauses {
			t.Errorf("there are %d pauses", len(f.Pauses.pauses))
		}
	})
}

// Nor does it keep the identity's other pods from their tokens.
func TestInventedResourcesStarveNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFederated()
		if _, err := f.Mint(t.Context(), of("good")); err != nil {
			t.Fatal(err)
		}
		for n := range 3 * maxPauses {
			request := of("evil")
			request.Resource = fmt.Sprintf("https://%d.example", n)
			f.fails(&entra.Error{Status: http.StatusBadRequest, Code: 500011})
			_, _ = f.Mint(t.Context(), request)
		}
		f.issues("again")
		if _, err := f.Mint(t.Context(), of("good")); err != nil {
			t.Error(err)
		}
	})
}

// Without an assertion there is no exchange, so it does not count as one.
func TestRefusalsOfTheSignerAreNoExchanges(t *testing.T) {
	t.Parallel()
	f := newFederated()
	f.refused["gone"] = true
	for range 2 * identityBurst {
		_, _ = f.Mint(t.Context(), of("gone"))
	}
	if _, err := f.Mint(t.Context(), of("here")); err != nil {
		t.Error(err)
	}
}
