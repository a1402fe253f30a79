package mint

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/token"
)

// tokenSigner records requests, and signs with a key with an ID.
type tokenSigner struct {
	asked []signerapi.TokenRequest
	keyID string
	err   error
}

func (s *tokenSigner) Token(_ context.Context, request signerapi.TokenRequest) (*signerapi.TokenResponse, error) {
	s.asked = append(s.asked, request)
	return &signerapi.TokenResponse{Token: mintedSecret, TokenID: "uti", KeyID: s.keyID, NotBefore: 100, ExpiresOn: 200}, s.err
}

// signerMinter returns a minter to which the key "published" is published.
func signerMinter(signer SignerClient) *Signer {
	return &Signer{
		Client: signer, Changes: directory.NewChanges(), IsPublished: func(id string) bool { return id == "published" },
	}
}

func TestSignerGetsPodIdentityAndResource(t *testing.T) {
	t.Parallel()
	signer := &tokenSigner{keyID: "published"}
	minted, err := signerMinter(signer).Mint(t.Context(), Request{
		Pod: Pod{UID: "pod-uid", Token: "pod-token"}, Identity: identity("orders"), Resource: vault,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []signerapi.TokenRequest{{Pod: signerapi.Pod{UID: "pod-uid", Token: "pod-token"}, Identity: "orders", Resource: vault}}
	if diff := cmp.Diff(want, signer.asked); diff != "" {
		t.Errorf("request to the signer (-want +got):\n%s", diff)
	}
	wantMinted := Minted{Signed: token.Signed{
		Token: mintedSecret, ID: "uti", KeyID: "published", NotBefore: time.Unix(100, 0), Expiry: time.Unix(200, 0),
	}}
	if diff := cmp.Diff(wantMinted, minted); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
}

func TestTokenOfAnUnpublishedKeyIsNotReturned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, err := signerMinter(&tokenSigner{keyID: "revoked"}).Mint(t.Context(), Request{Identity: identity("orders"), Resource: vault})
		if err == nil || !failure.Of(err).Temporary() {
			t.Errorf("got error %v", err)
		}
	})
}

func TestMintWaitsForThePublicationOfTheKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		minter := signerMinter(&tokenSigner{keyID: "new"})
		var published atomic.Bool
		minter.IsPublished = func(id string) bool { return id == "new" && published.Load() }
		go func() {
			time.Sleep(time.Second)
			published.Store(true)
			minter.Changes.Notify()
		}()
		if _, err := minter.Mint(t.Context(), Request{Identity: identity("orders"), Resource: vault}); err != nil {
			t.Errorf("got error %v", err)
		}
	})
}
