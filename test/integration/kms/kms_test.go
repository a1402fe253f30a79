// Package kms tests internal/signer/kms against a real Vault.
package kms

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/signer/kms"
	"github.com/kube-imds/kube-imds/internal/testing/transit"
	"github.com/kube-imds/kube-imds/internal/token"
)

const url = "hashivault://tokens-1"

var digest = sha256.Sum256([]byte("what is signed"))

func start(t *testing.T) *transit.Server {
	t.Helper()
	server := transit.Start(t)
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_TOKEN", server.Token)
	server.MakeKey("tokens-1", "rsa-2048")
	return server
}

// signer returns the signer of a key after reading its public half.
func signer(t *testing.T, keys *kms.Keys) (token.SignFunc, *rsa.PublicKey) {
	t.Helper()
	public, err := keys.Read(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return keys.Signer(url, public), public
}

// wantFailure checks that signing fails soon, with the reason.
func wantFailure(t *testing.T, sign token.SignFunc, reason string) {
	t.Helper()
	begun := time.Now()
	signature, err := sign(t.Context(), digest[:])
	if err == nil || signature != nil || !strings.Contains(err.Error(), reason) {
		t.Errorf("got error %v, want %s", err, reason)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func eventually(t *testing.T, sign token.SignFunc) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		_, err := sign(ctx, digest[:])
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestSignatureIsRS256(t *testing.T) {
	start(t)
	sign, public := signer(t, &kms.Keys{})
	var asking sync.WaitGroup
	for range 200 {
		asking.Go(func() {
			signature, err := sign(t.Context(), digest[:])
			if err != nil {
				t.Error(err)
			} else if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
}

func TestKeyOfAnotherKindIsRefused(t *testing.T) {
	server := start(t)
	for _, kind := range []string{"ecdsa-p256", "ed25519"} {
		server.MakeKey(kind, kind)
		if _, err := new(kms.Keys).Read(t.Context(), "hashivault://"+kind); err == nil {
			t.Errorf("%s is accepted", kind)
		}
	}
	if _, err := new(kms.Keys).Read(t.Context(), "hashivault://nothing"); err == nil {
		t.Error("a missing key is accepted")
	}
}

func TestRotationInTheKMSDoesNotChangeTheKey(t *testing.T) {
	server := start(t)
	sign, _ := signer(t, &kms.Keys{})
	server.RotateKey("tokens-1")
	if _, err := sign(t.Context(), digest[:]); err != nil {
		t.Error(err)
	}
	if _, err := new(kms.Keys).Read(t.Context(), url); err == nil {
		t.Error("a key with several versions is accepted")
	}
}

func TestExchangedKeyIsRefused(t *testing.T) {
	server := start(t)
	keys := &kms.Keys{}
	sign, public := signer(t, keys)
	server.ExchangeKey("tokens-1")
	wantFailure(t, sign, "another key than before")
	// By a new signer, too.
	wantFailure(t, new(kms.Keys).Signer(url, public), "another key than before")
}

func TestStoppedKMSReturns(t *testing.T) {
	server := start(t)
	sign, public := signer(t, &kms.Keys{})
	server.Stop()
	// The kept connection ends, and new ones are refused.
	wantFailure(t, sign, "sign with "+url)
	wantFailure(t, new(kms.Keys).Signer(url, public), "connection refused")
	server.Start()
	eventually(t, sign)
}

func TestFrozenKMSDoesNotBlockRequests(t *testing.T) {
	server := start(t)
	sign, _ := signer(t, &kms.Keys{})
	server.Freeze()
	t.Cleanup(server.Thaw)
	begun := time.Now()
	var asking sync.WaitGroup
	for range 500 {
		asking.Go(func() { wantFailure(t, sign, "the KMS") })
	}
	asking.Wait()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("500 requests took %v", took)
	}
	server.Thaw()
	eventually(t, sign)
}

// Renewing the token in its file does not require a restart.
func TestRenewedTokenIsRead(t *testing.T) {
	server := start(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("VAULT_TOKEN", "")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(home, ".vault-token"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("expired")
	keys := &kms.Keys{}
	_, err := keys.Read(t.Context(), url)
	if err == nil || !strings.Contains(err.Error(), "permission denied") || strings.Contains(err.Error(), "expired") {
		t.Fatalf("got error %v", err)
	}
	write(server.Token)
	public, err := new(kms.Keys).Read(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, keys.Signer(url, public))
}
