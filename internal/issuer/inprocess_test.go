package issuer

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// newInProcess returns an issuer for a pod that asks for "orders", which admits it, and for "invoices", which does not, and
// the issuer's log.
func newInProcess(minter mint.Minter) (*InProcess, *strings.Builder) {
	identities := map[string]*v1alpha1.ManagedIdentity{
		"orders":   build.NewIdentity("orders").Admitting("shop", "orders").Ready().ManagedIdentity,
		"invoices": build.NewIdentity("invoices").Ready().ManagedIdentity,
	}
	find := grant.Among(identities["orders"], identities["invoices"])
	// A look-up in memory never fails.
	granted, _ := grant.Decide(grant.Principal{
		Namespace: "shop", ServiceAccount: "orders",
		PodAnnotations: map[string]string{v1alpha1.IdentityAnnotation: "orders,invoices"},
	}, find, nil)
	log := new(strings.Builder)
	return &InProcess{
		Grant:      granted,
		Identities: find,
		Minters:    mint.Minters{identities["orders"].Spec.TokenSource: minter},
		Log:        funcr.New(func(_, line string) { log.WriteString(line + "\n") }, funcr.Options{}),
	}, log
}

func TestInProcessReturnsTheMintersToken(t *testing.T) {
	t.Parallel()
	local, log := newInProcess(&countingMinter{life: time.Hour})
	got, err := local.Token(t.Context(), imds.TokenRequest{Resource: vault})
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessToken != mintedSecret+" 1 orders "+vault || got.ClientID != "client-orders" || got.ExpiresOn.Sub(got.NotBefore) != time.Hour {
		t.Errorf("token = %+v", got)
	}
	if line := log.String(); strings.Contains(line, mintedSecret) || !strings.Contains(line, `"tokenID"="token-1"`) {
		t.Errorf("log = %s", line)
	}
}

func TestInProcessRefusals(t *testing.T) {
	t.Parallel()
	const notAdmitted = `ManagedIdentity \"invoices\" does not admit the ServiceAccount \"orders\" of namespace \"shop\": ` +
		"its administrator can add them to spec.assumableBy"
	for name, test := range map[string]struct {
		selector imds.Selector
		want     string
	}{
		"by client ID":   {imds.Selector{ClientID: "client-invoices"}, notAdmitted},
		"by resource ID": {imds.Selector{ResourceID: "/RESOURCE/invoices"}, notAdmitted},
		"unknown ID":     {imds.Selector{ClientID: "other"}, "no identity granted to this pod has the requested ID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local, log := newInProcess(&countingMinter{})
			_, tokenErr := local.Token(t.Context(), imds.TokenRequest{Resource: vault, Selector: test.selector})
			_, identityErr := local.Identity(t.Context(), test.selector)
			want := &imds.Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: "Identity not found"}
			for _, err := range []error{tokenErr, identityErr} {
				var refusal *imds.Error
				if !errors.As(err, &refusal) {
					t.Fatalf("got error %v", err)
				}
				if diff := cmp.Diff(want, refusal, cmp.AllowUnexported(imds.Error{})); diff != "" {
					t.Error("(-want +got)\n" + diff)
				}
			}
			if strings.Count(log.String(), test.want) != 2 {
				t.Errorf("log = %s", log)
			}
		})
	}
}

func TestInProcessFailureIsTemporary(t *testing.T) {
	t.Parallel()
	local, _ := newInProcess(&countingMinter{err: errors.New("no entropy")})
	_, err := local.Token(t.Context(), imds.TokenRequest{Resource: vault})
	var refusal *imds.Error
	if !errors.As(err, &refusal) || refusal.Status != http.StatusServiceUnavailable || refusal.RetryAfter != 2*time.Second {
		t.Errorf("got error %v", err)
	}
	if strings.Contains(refusal.Description, "entropy") {
		t.Errorf("the application gets %q", refusal.Description)
	}
}
