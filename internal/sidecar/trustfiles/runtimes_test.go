package trustfiles

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/pki/authority"
	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
)

// runtimes are programs that send a request to a URL as applications do, by their names.
var runtimes = map[string][]string{
	"Go":       {"go", "run", "testdata/client.go"},
	"OpenSSL":  {"sh", "-c", `openssl s_client -verify_return_error -verify_hostname localhost -connect "${1#https://}" </dev/null`, "sh"},
	"curl":     {"curl", "--silent", "--show-error"},
	"Node":     {"node", "-e", `fetch(process.argv[1]).then(() => 0, e => { console.error(e.cause); process.exit(1) })`},
	"Python":   {"python3", "-c", "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])"},
	"requests": {"python3", "-c", "import sys, requests; requests.get(sys.argv[1])"},
	"Java":     {"java", "testdata/Client.java"},
}

// TestRuntimesTrustTheFolder has runtimes connect to a server of the authority as in a pod, by the variables alone, and without them.
func TestRuntimesTrustTheFolder(t *testing.T) {
	t.Parallel()
	signing := newCA(t)
	// The one that signs need not be the first that OpenSSL finds.
	folder := newFolder(t, append(newCA(t).pem(), signing.pem()...))
	url := serve(t, signing.leaf(t))
	for name, program := range runtimes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needRuntime(t, name)
			if output, err := ask(t, program, url, folder.variables()...); err != nil {
				t.Errorf("not trusted: %v\n%s", err, output)
			}
			if output, err := ask(t, program, url); err == nil {
				t.Errorf("trusted without the variables:\n%s", output)
			}
		})
	}
}

// A thief of the authority's key signs for a name that its certificate does not permit. Java does not look at that
// (docs/security.md).
func TestRuntimesEnforceTheAuthoritysConstraints(t *testing.T) {
	t.Parallel()
	authority, forged := forge(t)
	folder := newFolder(t, encode(authority))
	url := serve(t, forged)
	for name, program := range runtimes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needRuntime(t, name)
			if output, err := ask(t, program, url, folder.variables()...); (err == nil) != (name == "Java") {
				t.Errorf("error %v\n%s", err, output)
			}
		})
	}
}

func needRuntime(t *testing.T, name string) {
	t.Helper()
	program := runtimes[name][0]
	if name == "OpenSSL" {
		program = "openssl"
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(err)
	}
	if name == "requests" && exec.CommandContext(t.Context(), "python3", "-c", "import requests").Run() != nil {
		t.Skip("Python has no requests")
	}
}

// ask runs a program with a URL and these variables about trust.
func ask(t *testing.T, program []string, url string, variables ...string) (output string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program[0], append(program[1:len(program):len(program)], url)...)
	command.Env = variables
	// Others of the test's own environment may say what to trust.
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOPATH", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOTOOLCHAIN", "JAVA_HOME"} {
		if value, found := os.LookupEnv(name); found {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	printed, err := command.CombinedOutput()
	return string(printed), err
}

// variables returns the variables that lead to the folder.
func (f *Folder) variables() []string {
	var variables []string
	for _, variable := range settings.TrustVariables(f.Path) {
		variables = append(variables, variable.Name+"="+variable.Value)
	}
	return variables
}

// leaf returns a certificate for localhost, as the controller signs it.
func (c ca) leaf(t *testing.T) tls.Certificate {
	t.Helper()
	key, template := newLeaf(t)
	template.PublicKey = key.Public()
	leaf, err := c.Sign(template, "http://localhost", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
}

// forge returns an authority that may not sign for localhost, and a certificate for it that a thief of the key signed. The authority
// is like an installation's, with a key that the test has.
func forge(t *testing.T) (*x509.Certificate, tls.Certificate) {
	t.Helper()
	made, err := authority.NewCA([]string{"vault.kube-imds-system.svc"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	stolen, _ := newLeaf(t)
	same := *made.Certificate
	same.PublicKey = stolen.Public()
	like := sign(t, &same, &same, same.PublicKey, stolen)
	key, template := newLeaf(t)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	return like, tls.Certificate{Certificate: [][]byte{sign(t, template, like, key.Public(), stolen).Raw}, PrivateKey: key}
}

func sign(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func newLeaf(t *testing.T) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key, &x509.Certificate{
		DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// serve starts an HTTPS server, and returns its URL.
func serve(t *testing.T, certificate tls.Certificate) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "https://localhost:" + port
}
