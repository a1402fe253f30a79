package issuer

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/testing/transit"
)

// kmsTest is an issuer and a signer with keys in a real Vault.
type kmsTest struct {
	*issuerProcess
	signer *signerProcess
	vault  *transit.Server
	bearer string
	asked  int
}

// next requests a token that is not cached yet.
func (k *kmsTest) next(t *testing.T) answer {
	t.Helper()
	k.asked++
	return k.ask(t, k.bearer, fmt.Sprintf("https://resource-%d.example", k.asked))
}

// wantUnavailable checks that a request for a new token gets 503 soon.
func (k *kmsTest) wantUnavailable(t *testing.T, reason string) {
	t.Helper()
	begun := time.Now()
	if a := k.next(t); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s, Retry-After %q", a.status, a.body, a.header.Get("Retry-After"))
	}
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("took %v", took)
	}
	if !strings.Contains(k.signer.log.String(), reason) {
		t.Errorf("signer's log misses %q", reason)
	}
}

func (k *kmsTest) wantAvailable(t *testing.T) {
	t.Helper()
	eventually(t, "new tokens are signed", func() error {
		if a := k.next(t); a.status != http.StatusOK {
			return fmt.Errorf("%d %s", a.status, a.body)
		}
		return nil
	})
}

func TestSignerWithAKMS(t *testing.T) {
	vault := transit.Start(t)
	t.Setenv("VAULT_ADDR", vault.URL)
	t.Setenv("VAULT_TOKEN", vault.Token)
	vault.MakeKey("tokens-1", "rsa-2048")
	vault.MakeKey("tokens-2", "rsa-2048")
	c := startCluster(t)
	var s *signerProcess
	t.Cleanup(func() {
		if s != nil && strings.Contains(s.log.String(), vault.Token) {
			t.Error("the signer's log contains the token for Vault")
		}
	})
	s = c.startSigner(t, "--kms-key=hashivault://tokens-1", "--kms-key=hashivault://tokens-2", "--publish-ahead=3s")
	k := &kmsTest{issuerProcess: c.startIssuer(t, "node-1"), signer: s, vault: vault}
	k.bearer = k.issuerProcess.bearer(t, k.newHome(t).newPod(t, "shopper", "node-1"))
	for _, one := range []struct {
		name string
		run  func(*testing.T, *kmsTest)
	}{
		{"TokenVerifies", testKMSTokenVerifies},
		{"Rotation", testKMSRotation},
		{"Outage", testKMSOutage},
		{"Restart", testKMSRestart},
		{"Exchange", testKMSExchange},
		{"NoOtherKey", testKMSNoOtherKey},
	} {
		if !t.Run(one.name, func(t *testing.T) { one.run(t, k) }) {
			break
		}
	}
}

func testKMSTokenVerifies(t *testing.T, k *kmsTest) {
	var secret corev1.Secret
	must(t, k.Get(t.Context(), names.SigningKeys(), &secret), "read the signing keys")
	if ring := string(secret.Data["ring.json"]); strings.Contains(ring, `"private"`) || !strings.Contains(ring, "hashivault://tokens-1") {
		t.Errorf("the Secret has %s", ring)
	}
	k.wantAvailable(t)
	k.verify(t, k.grantedTo(t, k.bearer, vault))
	text, err := read(k.signer.metrics)
	must(t, err, "read the metrics")
	if !strings.Contains(text, `kube_imds_signer_sign_seconds_count{key="kms"} `) {
		t.Errorf("no metric for the KMS's time:\n%s", text)
	}
}

// No request fails during the rotation to the second key.
func testKMSRotation(t *testing.T, k *kmsTest) {
	before := keyOf(t, k.next(t))
	k.annotate(t, names.SigningKeys(), keyring.RotateAnnotation, "now")
	eventually(t, "another key signs", func() error {
		if id := keyOf(t, k.next(t)); id == before {
			return fmt.Errorf("key %s does", id)
		}
		return nil
	})
	k.verify(t, k.grantedTo(t, k.bearer, "https://after.example"))
	eventually(t, "it is known that there is no key after this one", func() error {
		text, err := read(k.signer.metrics)
		if err == nil && !strings.Contains(text, "kube_imds_signer_successor_missing{ring=\"tokens\"} 1") {
			err = fmt.Errorf("metrics = %s", text)
		}
		return err
	})
}

func testKMSOutage(t *testing.T, k *kmsTest) {
	kept := k.grantedTo(t, k.bearer, vault)
	k.vault.Stop()
	k.wantUnavailable(t, "connection refused")
	if k.grantedTo(t, k.bearer, vault) != kept {
		t.Error("the cached token is not served")
	}
	k.vault.Start()
	k.wantAvailable(t)
	k.vault.Freeze()
	k.wantUnavailable(t, "the KMS does not answer")
	k.vault.Thaw()
	k.wantAvailable(t)
}

// A signer starts without the KMS, and signs once it is back.
func testKMSRestart(t *testing.T, k *kmsTest) {
	k.vault.Stop()
	k.signer.stop(syscall.SIGKILL)
	k.signer.start(t)
	k.wantUnavailable(t, "connection refused")
	k.vault.Start()
	k.wantAvailable(t)
}

func testKMSExchange(t *testing.T, k *kmsTest) {
	k.vault.ExchangeKey("tokens-2")
	k.wantUnavailable(t, "the KMS signs with another key than before")
	k.signer.stop(syscall.SIGTERM)
	k.signer.start(t)
	k.wantUnavailable(t, "the KMS signs with another key than before")
}

// A revoked key is not replaced by one that was used before.
func testKMSNoOtherKey(t *testing.T, k *kmsTest) {
	k.annotate(t, names.SigningKeys(), keyring.RevokeAnnotation, "current")
	eventually(t, "the signer has no key", func() error {
		if _, err := read(k.signer.health); err == nil {
			return fmt.Errorf("the signer is ready")
		}
		return nil
	})
	k.wantUnavailable(t, "add one to signer.keys.kms")
}

func (c *cluster) annotate(t *testing.T, keys client.ObjectKey, annotation, value string) {
	t.Helper()
	var secret corev1.Secret
	must(t, c.Get(t.Context(), keys, &secret), "read the signing keys")
	before := client.MergeFrom(secret.DeepCopy())
	secret.Annotations = map[string]string{annotation: value}
	must(t, c.Patch(t.Context(), &secret, before), "annotate the signing keys")
}
