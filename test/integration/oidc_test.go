package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/oidc"
	"github.com/kube-imds/kube-imds/internal/token"
)

func TestTokenVerifiesByWhatTheControllerServes(t *testing.T) {
	t.Parallel()
	controller := needController(t)
	const tenant = "0c7a3c5e-0000-4000-8000-000000000007"
	identity := newIdentity("verified")
	identity.Spec.TenantID = tenant
	identity.create(t)
	awaitReady(t, identity.ManagedIdentity, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	node := createNode(t, "signs")
	key, err := token.NewKey(time.Now(), 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	registered := create(t, key.Registration(node.Name, string(node.UID)))
	awaitCondition(t, registered, v1alpha1.ConditionPublished, metav1.ConditionTrue, v1alpha1.ReasonPublished)

	base := "https://" + oidcNames[0]
	signed := sign(t, key, identity.ManagedIdentity, token.IssuerURL(base, tenant))
	validator := serve(t, controller, base)
	var discovered struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	var keys jose.JSONWebKeySet
	eventually(t, func(context.Context) string {
		if err := validator.read(base+"/"+tenant+"/v2.0/.well-known/openid-configuration", &discovered); err != nil {
			return err.Error()
		}
		if err := validator.read(discovered.Keys, &keys); err != nil {
			return err.Error()
		}
		if len(keys.Key(key.ID)) != 1 {
			return "the JWKS has no such key"
		}
		return ""
	})
	_, err = jwt.Parse(signed, func(read *jwt.Token) (any, error) {
		if id, ok := read.Header["kid"].(string); ok && len(keys.Key(id)) == 1 {
			return keys.Key(id)[0].Key, nil
		}
		return nil, errors.New("signed with a key that is not published")
	}, jwt.WithIssuer(discovered.Issuer), jwt.WithAudience("https://vault.azure.net"), jwt.WithValidMethods([]string{"RS256"}))
	if err != nil {
		t.Error(err)
	}

	remove(t, registered)
	eventually(t, func(context.Context) string {
		var left jose.JSONWebKeySet
		if err := validator.read(discovered.Keys, &left); err != nil {
			return err.Error()
		}
		if len(left.Key(key.ID)) > 0 {
			return "the JWKS has a key that was removed"
		}
		return ""
	})
}

func TestTenantsThatExist(t *testing.T) {
	t.Parallel()
	base := "https://" + oidcNames[0]
	validator := serve(t, needController(t), base)
	for _, test := range []struct {
		name, tenant string
		status       int
	}{
		{"the default one", string(defaults.TenantID), http.StatusOK},
		{"one of no identity", "0c7a3c5e-0000-4000-8000-00000000dead", http.StatusBadRequest},
		{"no GUID", "common", http.StatusBadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, path := range []string{"/v2.0/.well-known/openid-configuration", "/discovery/v2.0/keys"} {
				var document map[string]any
				err := validator.read(base+"/"+test.tenant+path, &document)
				if got := statusOf(err); got != test.status {
					t.Errorf("%s: %v, want %d", path, err, test.status)
				}
			}
		})
	}
}

func sign(t *testing.T, key *token.Key, identity *v1alpha1.ManagedIdentity, issuer string) string {
	t.Helper()
	claims, err := token.NewClaims(identity, "https://vault.azure.net", issuer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := key.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// validator reads documents as a workload does that trusts the authority's certificate and nobody else's.
type validator struct{ http.Client }

// serve serves the controller's documents on a port of this machine, with its certificate.
func serve(t *testing.T, controller *runningManager, base string) *validator {
	t.Helper()
	bundle := awaitCertificate(t, controller.trust)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		GetCertificate: controller.trust.GetCertificate, MinVersion: tls.VersionTLS13,
	})
	if err != nil {
		t.Fatal(err)
	}
	documents := &oidc.Documents{
		BaseURL: base, DefaultTenant: defaults.TenantID, Source: oidc.Cluster{Reader: controller.cache}, Now: time.Now, Log: logr.Discard(),
	}
	server := &http.Server{Handler: documents.Handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return &validator{http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, listener.Addr().String())
		},
	}}}
}

// statusError is an answer other than 200.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

// statusOf is the status of an answer; 0 where there was none.
func statusOf(err error) int {
	var status statusError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &status):
		return int(status)
	}
	return 0
}

func (v *validator) read(url string, into any) error {
	response, err := v.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return statusError(response.StatusCode)
	}
	return json.Unmarshal(text, into)
}
