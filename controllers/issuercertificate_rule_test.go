package controllers

import (
	"bytes"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
)

var (
	issuerRules = IssuerCertificateRules(install.Names{Name: "kube-imds", Namespace: "imds"},
		func(kind *azurehost.Kind, host string) bool {
			return host == map[*azurehost.Kind]string{azurehost.KeyVaults: "orders.vault.azure.net", azurehost.StorageAccounts: "orders.blob.core.windows.net"}[kind]
		})
	issuerRule = issuerRules[certificate.IssuerSigner]
)

func TestRuleAcceptsIssuersRequests(t *testing.T) {
	t.Parallel()
	ecdsa := newECDSA(t, elliptic.P256())
	for _, test := range []struct {
		name    string
		request *request
		usage   x509.KeyUsage
		names   []string
	}{
		{"an ECDSA key", newRequest(ecdsa), x509.KeyUsageDigitalSignature, issuerNames},
		{"an RSA key", newRequest(newRSA(t, 2048)), x509.KeyUsageDigitalSignature, issuerNames},
		{"some of the names", newRequest(ecdsa).forNames(issuerNames[1:]...), x509.KeyUsageDigitalSignature, issuerNames[1:]},
		{
			"key encipherment, which RSA keys may need",
			newRequest(ecdsa).forUsages(certificatesv1.UsageKeyEncipherment, certificatesv1.UsageServerAuth),
			x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, issuerNames,
		},
		{
			"more of a subject than its name, which is left out",
			newRequest(ecdsa).forSubject(pkix.Name{CommonName: issuerNames[0], Organization: []string{"system:masters"}}),
			x509.KeyUsageDigitalSignature, issuerNames,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			template, err := issuerRule.Check(test.request.build(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.names, template.DNSNames); diff != "" {
				t.Error("names (-want +got)\n" + diff)
			}
			if got := template.Subject.String(); got != "CN="+issuerNames[0] {
				t.Error("subject", got)
			}
			if template.KeyUsage != test.usage {
				t.Errorf("key usage %b, want %b", template.KeyUsage, test.usage)
			}
			if diff := cmp.Diff([]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, template.ExtKeyUsage); diff != "" {
				t.Error("extended key usages (-want +got)\n" + diff)
			}
			if template.IsCA || !reflect.DeepEqual(template.PublicKey, test.request.key.Public()) {
				t.Error("the template is a CA's, or for another key")
			}
		})
	}
}

func TestRuleAcceptsTheSignersAttestationRequest(t *testing.T) {
	t.Parallel()
	key, names := newRSA(t, 2048), []string{"metadata.azure.com", "westeurope.metadata.azure.com"}
	both := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth}
	rule := issuerRules[certificate.AttestationSigner]
	asked := func() *request {
		return newRequest(key).from(signerUser).forNames(names...).forSubject(pkix.Name{CommonName: names[0]}).forUsages(both...)
	}
	template, err := rule.Check(asked().build(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, template.ExtKeyUsage); diff != "" {
		t.Error("extended key usages (-want +got)\n" + diff)
	}
	for name, wrong := range map[string]*request{
		"a name of its Service":     asked().forNames(append(names, issuerNames[0])...),
		"a name in another domain":  asked().forNames("metadata.azure.com.example.com"),
		"a name two levels below":   asked().forNames("a.b.metadata.azure.com"),
		"a domain without its name": asked().forNames(".metadata.azure.com"),
		"all locations of a domain": asked().forNames("*.metadata.azure.com"),
		"not a DNS name":            asked().forNames("west europe.metadata.azure.com"),
		"a location as its subject": asked().forSubject(pkix.Name{CommonName: names[1]}),
		"client usage only":         asked().forUsages(certificatesv1.UsageClientAuth),
		"CA usage":                  asked().forUsages(append(both, certificatesv1.UsageCertSign)...),
		"a token without a pod":     asked().withAttribute(podNameAttribute),
		"an ECDSA key":              asked().withKey(newECDSA(t, elliptic.P256())),
		"a weak RSA key":            asked().withKey(newRSA(t, 1024)),
		"server usage only":         asked().forUsages(certificatesv1.UsageServerAuth),
		"another ServiceAccount":    asked().from("system:serviceaccount:imds:default"),
		"an issuer":                 asked().from(issuerUser),
	} {
		if template, err := rule.Check(wrong.build(t)); err == nil {
			t.Errorf("%s: accepted: %v", name, template.DNSNames)
		}
	}
	if _, err := issuerRule.Check(asked().build(t)); err == nil {
		t.Error("the attestation request is accepted for an issuer")
	}
	if _, err := rule.Check(newRequest(key).forUsages(both...).build(t)); err == nil {
		t.Error("the serving request is accepted for attestation")
	}
}

func TestRuleRefuses(t *testing.T) {
	t.Parallel()
	key := newECDSA(t, elliptic.P256())
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		request *request
		refusal string
	}{
		{"another ServiceAccount", newRequest(key).from("system:serviceaccount:imds:default"), "only " + issuerUser + " may ask"},
		{"a node", newRequest(key).from("system:node:node-1"), "not system:node:node-1"},
		{"a token without a pod", newRequest(key).withAttribute(podNameAttribute), "not bound to a pod"},
		{"a token without a node", newRequest(key).withAttribute(nodeNameAttribute), "not bound to a pod on a node"},
		{"a token of two pods", newRequest(key).withAttribute(podNameAttribute, "a", "b"), "not bound to a pod"},
		{"no names", newRequest(key).forNames(), "for DNS names, and for nothing else"},
		{"another name", newRequest(key).forNames("kubernetes.default.svc"), `not "kubernetes.default.svc"`},
		{"another name among its own", newRequest(key).forNames(issuerNames[0], "kube-imds-webhook.imds.svc"), `not "kube-imds-webhook.imds.svc"`},
		{"another node's name", newRequest(key).forNames(append(issuerNames[:2:2], "node-2.kube-imds-issuer.imds.svc")...), `not "node-2.kube-imds-issuer.imds.svc"`},
		{"another node's name too", newRequest(key).forNames(append(issuerNames[:3:3], "node-2.kube-imds-issuer.imds.svc")...), `not "node-2.kube-imds-issuer.imds.svc"`},
		{"no node's name", newRequest(key).forNames(issuerNames[:2]...), `for "node-1.kube-imds-issuer.imds.svc" too`},
		{"node's name from another node", newRequest(key).withAttribute(nodeNameAttribute, "node-2"), `not "node-1.kube-imds-issuer.imds.svc"`},
		{"all names of the namespace", newRequest(key).forNames("*.imds.svc"), `not "*.imds.svc"`},
		{"another common name", newRequest(key).forSubject(pkix.Name{CommonName: "admin"}), `not "admin"`},
		{"no common name", newRequest(key).forSubject(pkix.Name{}), `not ""`},
		{"an address too", newRequest(key).forIP(), "for nothing else"},
		{"a URI too", newRequest(key).forURI(), "for nothing else"},
		{"an email address too", newRequest(key).forEmail(), "for nothing else"},
		{"no usages", newRequest(key).forUsages(), `it must be for "server auth"`},
		{"no server usage", newRequest(key).forUsages(certificatesv1.UsageDigitalSignature), `it must be for "server auth"`},
		{"client usage", newRequest(key).forUsages(certificatesv1.UsageClientAuth), `not for "client auth"`},
		{
			"a client too",
			newRequest(key).forUsages(certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth), `not for "client auth"`,
		},
		{
			"an authority",
			newRequest(key).forUsages(certificatesv1.UsageServerAuth, certificatesv1.UsageCertSign), `not for "cert sign"`,
		},
		{"a weak RSA key", newRequest(newRSA(t, 1024)), "RSA key of at least 2048 bits"},
		{"a key of another kind", newRequest(edwards), "an ECDSA key, or an RSA key"},
		{"not PEM", newRequest(key).encodedAs(func(der []byte) []byte { return der }), "not one PEM block"},
		{"nothing", newRequest(key).encodedAs(func([]byte) []byte { return nil }), "not one PEM block"},
		{"PEM of another type", newRequest(key).encodedAs(asPEM("CERTIFICATE")), "not one PEM block"},
		{"two PEM blocks", newRequest(key).encodedAs(twice), "not one PEM block"},
		{"PEM of nonsense", newRequest(key).encodedAs(nonsense), "read spec.request"},
		{"a wrong signature", newRequest(key).encodedAs(forged), "check the signature"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			template, err := issuerRule.Check(test.request.build(t))
			if template != nil || err == nil {
				t.Fatal("the request is accepted")
			}
			if !strings.Contains(err.Error(), test.refusal) {
				t.Errorf("got error %q, want it to contain %q", err, test.refusal)
			}
		})
	}
}

func asPEM(kind string) func([]byte) []byte {
	return func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
}

func twice(der []byte) []byte {
	return bytes.Repeat(asPEM("CERTIFICATE REQUEST")(der), 2)
}

func nonsense([]byte) []byte {
	return asPEM("CERTIFICATE REQUEST")([]byte("nonsense"))
}

// forged changes one letter of a signed name.
func forged(der []byte) []byte {
	return asPEM("CERTIFICATE REQUEST")(bytes.ReplaceAll(der, []byte(issuerNames[0]), []byte("kube-imds-issueR.imds.svc")))
}

// Each part gets certificates for the names of its own Service only.
func TestPartsGetCertificatesForTheirOwnServiceOnly(t *testing.T) {
	t.Parallel()
	key := newECDSA(t, elliptic.P256())
	for part, signer := range map[string]string{
		"issuer": certificate.IssuerSigner, "signer": certificate.SignerSigner, "oidc": certificate.OIDCSigner,
	} {
		for _, asking := range []string{"issuer", "signer", "oidc"} {
			name := "kube-imds-" + part + ".imds.svc"
			names := []string{name}
			if part == "issuer" {
				names = append(names, "node-1."+name)
			}
			asked := newRequest(key).from("system:serviceaccount:imds:kube-imds-" + asking).
				forNames(names...).forSubject(pkix.Name{CommonName: name})
			_, err := issuerRules[signer].Check(asked.build(t))
			if got, want := err == nil, asking == part; got != want {
				t.Errorf("%s requests the name of %s: it is taken: %t (%v)", asking, part, got, err)
			}
		}
	}
}

// The servers of vaults and of storage accounts get certificates for the names of these, and for public hosts that one of their own kind has.
func TestServersOfResourcesGetCertificatesForPublicHosts(t *testing.T) {
	t.Parallel()
	key := newECDSA(t, elliptic.P256())
	const vaultHost, blobHost = "orders.vault.azure.net", "orders.blob.core.windows.net"
	for part, test := range map[install.Part]struct {
		signer, host, foreign, another, domain string
		names                                  []string
	}{
		install.KeyVault: {certificate.KeyVaultSigner, vaultHost, blobHost, "other.vault.azure.net", "vault.azure.net", []string{"*.vault.imds.svc", "*.vault.imds.svc.cluster.local"}},
		install.StorageGate: {certificate.StorageSigner, blobHost, vaultHost, "orders.queue.core.windows.net", "blob.core.windows.net",
			[]string{"*.blob.imds.svc", "*.queue.imds.svc", "*.table.imds.svc.cluster.local"}},
	} {
		asked := func(names ...string) *request {
			return newRequest(key).from("system:serviceaccount:imds:kube-imds-" + string(part)).forNames(names...).forSubject(pkix.Name{CommonName: names[0]})
		}
		for name, one := range map[string]struct {
			request *request
			good    bool
		}{
			"all of the cluster":          {asked(test.names...), true},
			"a public host":               {asked(test.host), true},
			"one that nobody has":         {asked(test.host, test.another), false},
			"one of the other kind":       {asked(test.host, test.foreign), false},
			"all public hosts":            {asked("*." + test.domain), false},
			"their domain":                {asked(test.domain), false},
			"a public host, by an issuer": {asked(test.host).from(issuerUser), false},
			"another part's":              {asked(test.host, issuerNames[0]), false},
		} {
			if _, err := issuerRules[test.signer].Check(one.request.build(t)); (err == nil) != one.good {
				t.Errorf("%s, %s: error %v", part, name, err)
			}
		}
		for _, signer := range []string{certificate.IssuerSigner, certificate.SignerSigner, certificate.OIDCSigner, certificate.AttestationSigner} {
			if _, err := issuerRules[signer].Check(asked(test.host).build(t)); err == nil {
				t.Errorf("%s signs a public host", signer)
			}
		}
	}
}
