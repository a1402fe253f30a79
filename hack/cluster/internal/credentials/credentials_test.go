package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestServerCertificateIsValidForItsAddresses(t *testing.T) {
	folder := issue(t, Subject{Name: "apiserver", Addresses: []string{"kubernetes.default.svc", "10.0.0.1"}})
	certificate := load(t, folder, "apiserver")
	for _, name := range []string{"kubernetes.default.svc", "10.0.0.1"} {
		options := x509.VerifyOptions{Roots: authority(t, folder), DNSName: name, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		if _, err := certificate.Verify(options); err != nil {
			t.Errorf("verify for %s: %v", name, err)
		}
	}
	options := x509.VerifyOptions{Roots: authority(t, folder), DNSName: "other"}
	if _, err := certificate.Verify(options); err == nil {
		t.Error("certificate is valid for another name")
	}
}

func TestClientCertificateNamesUserAndGroups(t *testing.T) {
	folder := issue(t, Subject{Name: "c-1", CommonName: "system:node:c-1", Groups: []string{"system:nodes"}})
	certificate := load(t, folder, "c-1")
	if certificate.Subject.CommonName != "system:node:c-1" {
		t.Errorf("user = %s, want system:node:c-1", certificate.Subject.CommonName)
	}
	if diff := cmp.Diff([]string{"system:nodes"}, certificate.Subject.Organization); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	options := x509.VerifyOptions{Roots: authority(t, folder), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := certificate.Verify(options); err != nil {
		t.Error(err)
	}
	options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if _, err := certificate.Verify(options); err == nil {
		t.Error("client certificate is valid for a server")
	}
}

func TestOnlyTheOwnerCanReadCredentials(t *testing.T) {
	folder := issue(t, Subject{Name: "admin"})
	if err := WriteKubeconfig(folder, "admin", "https://server", "c"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 6 {
		t.Errorf("got %d files, want two of the authority, three of admin and the ServiceAccount key", len(entries))
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode = %s, error %v, want 0600", entry.Name(), info.Mode(), err)
		}
	}
}

func TestKubeconfig(t *testing.T) {
	folder := issue(t, Subject{Name: "admin"})
	content, err := Kubeconfig(folder, "admin", "https://127.0.0.1:1234", "c")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		CurrentContext string `json:"current-context"`
		Clusters       []struct {
			Name    string
			Cluster struct {
				Server    string
				Authority string `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Certificate string `json:"client-certificate-data"`
				Key         string `json:"client-key-data"`
			}
		}
	}
	if err := yaml.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	if got.CurrentContext != "c" || got.Clusters[0].Name != "c" || got.Clusters[0].Cluster.Server != "https://127.0.0.1:1234" {
		t.Errorf("kubeconfig = %s", content)
	}
	if _, err := tls.X509KeyPair(decode(t, got.Users[0].User.Certificate), decode(t, got.Users[0].User.Key)); err != nil {
		t.Errorf("load certificate and key: %v", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(decode(t, got.Clusters[0].Cluster.Authority)) {
		t.Error("kubeconfig has no authority")
	}
}

func TestKubeconfigNeedsACertificate(t *testing.T) {
	if _, err := Kubeconfig(t.TempDir(), "admin", "https://server", "c"); err == nil {
		t.Error("kubeconfig without a certificate returned no error")
	}
}

// issue creates an authority, issues a certificate and returns the folder of both.
func issue(t *testing.T, subject Subject) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "credentials")
	authority, err := NewAuthority(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := authority.Issue(subject); err != nil {
		t.Fatal(err)
	}
	if err := authority.WriteServiceAccountKey(); err != nil {
		t.Fatal(err)
	}
	return folder
}

func load(t *testing.T, folder, name string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(read(t, filepath.Join(folder, name+".crt")))
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func authority(t *testing.T, folder string) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(read(t, filepath.Join(folder, "ca.crt")))
	return pool
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func decode(t *testing.T, encoded string) []byte {
	t.Helper()
	content, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
