package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/test/entra"
)

const (
	tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	orders = "5f0d1d8c-0000-4000-8000-0000000000a1"
	vault  = "https://vault.azure.net"
)

// One process has the public files of an issuer, another is Entra ID, and a test drives it.
func TestCommand(t *testing.T) {
	t.Parallel()
	secrets, client := newSecrets(t)
	public := t.TempDir()
	issuer := "https://" + start(t, 1, "-public", public, "-tls", secrets)["public files"]
	assertion := publish(t, public, issuer)

	file := write(t, t.TempDir(), "config.json", map[string]any{
		"resources":  []string{vault},
		"identities": []entra.Identity{{TenantID: tenant, ClientID: orders, Credentials: []entra.Credential{{Issuer: issuer, Subject: "orders", Audience: "entra"}}}},
		"faults":     []entra.Fault{{Times: 1, Code: 90033}},
	})
	addresses := start(t, 2, "-config", file, "-tls", secrets, "-admin", "127.0.0.1:0", "-refresh-in", "100", "-keys-age", "1h")
	authority, admin := "https://"+addresses["authority"], "http://"+addresses["admin"]

	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {orders}, "scope": {vault + "/.default"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}
	ask := func() (int, string) {
		t.Helper()
		got, err := client.PostForm(authority+"/"+tenant+"/oauth2/v2.0/token", form)
		return read(t, got, err)
	}
	if status, body := ask(); status != http.StatusServiceUnavailable {
		t.Errorf("the fault of the file: got %d %s", status, body)
	}
	if status, body := ask(); status != http.StatusOK || !strings.Contains(body, `"refresh_in":100`) {
		t.Errorf("got %d %s", status, body)
	}
	faults, err := http.NewRequestWithContext(t.Context(), http.MethodPut, admin+"/faults", strings.NewReader(`[{"Times":1,"Status":429}]`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(faults)
	if status, body := read(t, got, err); status != http.StatusNoContent {
		t.Errorf("set faults: got %d %s", status, body)
	}
	if status, body := ask(); status != http.StatusTooManyRequests {
		t.Errorf("got %d %s", status, body)
	}
	got, err = client.Get(authority + "/asked/" + orders + "?resource=" + url.QueryEscape(vault))
	if _, body := read(t, got, err); body != "3" {
		t.Errorf("asked %s times", body)
	}
	got, err = client.Get(authority + "/stats")
	if status, body := read(t, got, err); status != http.StatusNotFound {
		t.Errorf("the authority has the admin interface: %d %s", status, body)
	}
}

func TestBadConfigurations(t *testing.T) {
	t.Parallel()
	secrets, _ := newSecrets(t)
	for name, config := range map[string]any{
		"client is a word": map[string]any{"identities": []entra.Identity{{TenantID: tenant, ClientID: "orders"}}},
		"unknown member":   map[string]any{"identity": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := write(t, t.TempDir(), "config.json", config)
			if err := run(t.Context(), []string{"-config", file, "-tls", secrets, "-listen", "127.0.0.1:0", "-admin", ""}, io.Discard); err == nil {
				t.Error("it is accepted")
			}
		})
	}
}

// start runs the command until the test ends, and returns the addresses that it prints.
func start(t *testing.T, places int, arguments ...string) map[string]string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	output, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append(arguments, "-listen", "127.0.0.1:0"), printed)
		_ = printed.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	addresses := map[string]string{}
	for lines := bufio.NewScanner(output); len(addresses) < places && lines.Scan(); {
		name, address, _ := strings.Cut(lines.Text(), ": ")
		addresses[name] = address
	}
	if len(addresses) < places {
		t.Fatalf("it printed %v", addresses)
	}
	return addresses
}

// newSecrets returns a directory with a certificate of 127.0.0.1, and a client that trusts it.
func newSecrets(t *testing.T) (string, *http.Client) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	for name, content := range map[string][]byte{
		"tls.crt": public, "ca.crt": public, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	return directory, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
}

// publish writes the public files of an issuer, and returns an assertion of it.
func publish(t *testing.T, directory, issuer string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	write(t, directory, "keys", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one"}}})
	write(t, directory, ".well-known/openid-configuration", map[string]string{"issuer": issuer, "jwks_uri": issuer + "/keys"})
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": issuer, "sub": "orders", "aud": "entra", "exp": time.Now().Add(time.Hour).Unix(),
	})
	token.Header["kid"] = "one"
	assertion, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return assertion
}

func write(t *testing.T, directory, name string, value any) string {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(directory, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, got *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(content)
}
