package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	keyVault = `
apiVersion: kube-imds.io/v1alpha1
kind: KeyVault
metadata:
  name: orders
spec:
  softDeleteRetentionInDays: 7
---
apiVersion: v1
kind: Secret
metadata:
  name: orders
  labels: {kube-imds.io/key-vault: orders}
stringData:
  Database-Password: hunter2
  endpoint: db.example
`
	administrator = `---
apiVersion: kube-imds.io/v1alpha1
kind: RoleAssignment
metadata:
  name: orders-all
spec:
  principal: {identity: orders}
  role: Key Vault Administrator
  scope: {keyVault: orders}
`
)

// startVault runs dev with a vault, for a pod that the identity orders admits.
func startVault(t *testing.T, content string, arguments ...string) (p *process, vaultURL string) {
	t.Helper()
	p = start(t, slices.Concat(asOrders, []string{"-f", write(t, orders), "--key-vault", write(t, content)}, arguments)...)
	return p, p.vaultURL("orders")
}

// vaultURL returns the URL of a vault as it is printed.
func (p *process) vaultURL(name string) string {
	p.t.Helper()
	found := regexp.MustCompile(`(?m)^# Key Vault ` + name + ` of namespace shop: (\S+)$`).FindStringSubmatch(p.printed)
	if found == nil {
		p.t.Fatalf("no URL of the vault %s is printed:\n%s", name, p.printed)
	}
	return found[1]
}

// An application that knows nothing of dev but the variables that it prints has a vault.
func TestVault(t *testing.T) {
	t.Parallel()
	p, vaultURL := startVault(t, keyVault+administrator)
	for _, one := range []struct{ operation, want string }{
		{"get database-password", "hunter2 from " + vaultURL + "/secrets/Database-Password/"},
		{"set greeting hello", "set"},
		{"get greeting", "hello from " + vaultURL + "/secrets/greeting/"},
		{"list", "Database-Password endpoint greeting"},
		{"sign invoices", "verified: true"},
	} {
		if got, failure := p.application(vaultURL, one.operation); !strings.HasPrefix(got, one.want) {
			t.Errorf("%s: got %q, want %q: %s", one.operation, got, one.want, failure)
		}
	}
	folder := filepath.Dir(p.exported["SSL_CERT_FILE"])
	p.stop(syscall.SIGTERM)
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("it leaves %s behind: %v", folder, err)
	}
	log := p.log.String()
	if !strings.Contains(log, "msg=keyvault method=GET status=200 action=Microsoft.KeyVault/vaults/secrets/getSecret/action oid="+ordersPrincipal) {
		t.Errorf("no line of what was decided:\n%s", log)
	}
	for _, secret := range []string{"hunter2", "hello", p.exported["IDENTITY_HEADER"], "eyJ"} {
		if strings.Contains(log, secret) {
			t.Errorf("log contains %q:\n%s", secret, log)
		}
	}
}

// A token alone opens nothing, and roles are those of the file as it is.
func TestVaultWithoutRole(t *testing.T) {
	t.Parallel()
	file := write(t, keyVault)
	p := start(t, append(asOrders, "-f", write(t, orders), "--key-vault", file)...)
	vaultURL := p.vaultURL("orders")
	_, failure := p.application(vaultURL, "get", "endpoint")
	for _, want := range []string{"403", "ForbiddenByRbac", "Microsoft.KeyVault/vaults/secrets/getSecret/action", "oid=" + ordersPrincipal} {
		if !strings.Contains(failure, want) {
			t.Errorf("error misses %q: %s", want, failure)
		}
	}
	if err := os.WriteFile(file, []byte(keyVault+strings.Replace(administrator, "Administrator", "Secrets User", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	var got string
	for deadline := time.Now().Add(20 * time.Second); !strings.HasPrefix(got, "db.example"); {
		if got, failure = p.application(vaultURL, "get", "endpoint"); time.Now().After(deadline) {
			t.Fatalf("got %q with the role: %s", got, failure)
		}
	}
	if _, failure := p.application(vaultURL, "set", "endpoint", "x"); !strings.Contains(failure, "secrets/setSecret/action") {
		t.Errorf("set with the role of a reader: %q", failure)
	}
}

// What is in a folder is there at the next start, at another port too. The file's secrets are what a vault has at first.
func TestVaultInAFolder(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p, vaultURL := startVault(t, keyVault+administrator, "--key-vault-data", data)
	if _, failure := p.application(vaultURL, "set", "endpoint", "other"); failure != "" {
		t.Fatal(failure)
	}
	authority, err := os.ReadFile(p.exported["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	if message := refuse(t, "", "--listen", "127.0.0.1:0", "--key-vault-listen", "127.0.0.1:0", "--key-vault", write(t, keyVault),
		"--key-vault-data", data); !strings.Contains(message, "another process has it open") {
		t.Errorf("a second process: %s", message)
	}
	p.stop(syscall.SIGTERM)

	again, vaultURL := startVault(t, keyVault+administrator, "--key-vault-data", data)
	if got, failure := again.application(vaultURL, "get", "endpoint"); !strings.HasPrefix(got, "other from "+vaultURL) {
		t.Errorf("got %q: %s", got, failure)
	}
	if content, err := os.ReadFile(again.exported["SSL_CERT_FILE"]); err != nil || string(content) != string(authority) {
		t.Errorf("another authority, error %v", err)
	}
}

// A token for another resource is not for the vault, and the challenge names the one that is.
func TestVaultRefusesOtherAudiences(t *testing.T) {
	t.Parallel()
	p, vaultURL := startVault(t, keyVault+administrator)
	_, body := p.ask(vault)
	for token, want := range map[string]string{"": "AKV10000", body.AccessToken: "AKV10022"} {
		response, content := p.send(vaultURL+"/secrets/endpoint?api-version=7.4", token)
		if response.StatusCode != http.StatusUnauthorized || !strings.Contains(content, want) {
			t.Errorf("got %d %s, want %s", response.StatusCode, content, want)
		}
		parsed, err := url.Parse(vaultURL)
		if err != nil {
			t.Fatal(err)
		}
		want := `Bearer authorization="` + p.baseURL() + "/" + defaultTenant + `", resource="https://vault.localhost:` + parsed.Port() + `"`
		if got := response.Header.Get("WWW-Authenticate"); got != want {
			t.Errorf("challenge = %s, want %s", got, want)
		}
	}
	if response, content := p.send(strings.Replace(vaultURL, "orders", "bills", 1)+"/secrets/x?api-version=7.4", ""); response.StatusCode != http.StatusNotFound {
		t.Errorf("a vault that is not there: %d %s", response.StatusCode, content)
	}
}

// send sends a request to a vault at its address, trusting what dev prints.
func (p *process) send(target, token string) (*http.Response, string) {
	p.t.Helper()
	pem, err := os.ReadFile(p.exported["SSL_CERT_FILE"])
	if err != nil {
		p.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}}
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, target, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response, string(content)
}

// Whoever trusts the authority trusts it with the names of vaults on this machine, and with no others.
func TestAuthorityOfTheVaultsIsConstrained(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	startVault(t, keyVault, "--key-vault-data", data)
	pair, err := tls.LoadX509KeyPair(filepath.Join(data, "ca.crt"), filepath.Join(data, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	for name, want := range map[string]bool{"orders.vault.localhost": true, "orders.vault.azure.net": false, "127.0.0.1": false} {
		template := &x509.Certificate{SerialNumber: pair.Leaf.SerialNumber, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}}
		if ip := net.ParseIP(name); ip != nil {
			template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
		}
		der, err := x509.CreateCertificate(nil, template, pair.Leaf, pair.Leaf.PublicKey, pair.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInvalidVaultsAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		input     string
		arguments []string
		want      string
	}{
		"not asked for":         {keyVault, []string{"-f", "-"}, `KeyVault "orders": vaults are served if their file is named with --key-vault`},
		"a folder for nothing":  {"", []string{"--key-vault-data", "x"}, "--key-vault FILE"},
		"all addresses":         {keyVault, []string{"--key-vault", "-", "--key-vault-listen", "0.0.0.0:0"}, `read --key-vault-listen: "0.0.0.0" is not a loopback address`},
		"a name with a dot":     {strings.Replace(keyVault, "name: orders\nspec", "name: a.b.c\nspec", 1), []string{"--key-vault", "-"}, `KeyVault "a.b.c"`},
		"a vault of nobody":     {administrator, []string{"--key-vault", "-"}, `RoleAssignment "orders-all": there is no KeyVault "orders" in namespace "default"`},
		"a Secret of nobody":    {strings.Replace(keyVault, "labels", "annotations", 1), []string{"--key-vault", "-"}, "the label kube-imds.io/key-vault is to name the KeyVault"},
		"a Secret of another":   {strings.Replace(keyVault, "key-vault: orders", "key-vault: bills", 1), []string{"--key-vault", "-"}, `there is no KeyVault "bills"`},
		"a secret's name":       {strings.Replace(keyVault, "endpoint", "end.point", 1), []string{"--key-vault", "-"}, `KeyVault "orders": set the secret "end.point": a name has`},
		"a value too long":      {strings.Replace(keyVault, "db.example", strings.Repeat("x", 25<<10+1), 1), []string{"--key-vault", "-"}, "its value is longer"},
		"an unknown role":       {keyVault + strings.Replace(administrator, "Administrator", "Owner", 1), []string{"--key-vault", "-"}, "role: a keyVault or a storageAccount has Azure's built-in roles"},
		"two vaults of a name":  {keyVault + "---" + strings.Replace(strings.Split(keyVault, "---")[0], "name: orders", "name: orders\n  namespace: other", 1), []string{"--key-vault", "-"}, `there are two KeyVaults "orders"`},
		"a folder that is none": {keyVault, []string{"--key-vault", "-", "--key-vault-data", os.Args[0]}, "make the folder of the vaults"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arguments := test.arguments
			if !slices.Contains(arguments, "--key-vault-listen") {
				arguments = append(arguments, "--key-vault-listen", "127.0.0.1:0")
			}
			if message := refuse(t, test.input, append(arguments, "--listen", "127.0.0.1:0")...); !strings.Contains(message, test.want) {
				t.Errorf("got %q, want %q", message, test.want)
			}
		})
	}
}
