package controllers

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
)

const (
	issuerUser = "system:serviceaccount:imds:kube-imds-issuer"
	signerUser = "system:serviceaccount:imds:kube-imds-signer"
)

// issuerNames are the DNS names that the issuer of node-1 may have.
var issuerNames = []string{"kube-imds-issuer.imds.svc", "kube-imds-issuer.imds.svc.cluster.local", "node-1.kube-imds-issuer.imds.svc"}

// request builds a CertificateSigningRequest.
type request struct {
	csr      certificatesv1.CertificateSigningRequest
	template x509.CertificateRequest
	key      crypto.Signer
	encode   func([]byte) []byte
}

// newRequest returns a request as an issuer makes it.
func newRequest(key crypto.Signer) *request {
	return &request{
		csr: certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
			Username: issuerUser,
			Extra: map[string]certificatesv1.ExtraValue{
				"authentication.kubernetes.io/pod-name":  {"issuer-abcde"},
				"authentication.kubernetes.io/node-name": {"node-1"},
			},
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
		}},
		template: x509.CertificateRequest{Subject: pkix.Name{CommonName: issuerNames[0]}, DNSNames: issuerNames},
		key:      key,
		encode: func(der []byte) []byte {
			return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
		},
	}
}

func (r *request) from(user string) *request {
	r.csr.Spec.Username = user
	return r
}

func (r *request) withAttribute(name string, values ...string) *request {
	r.csr.Spec.Extra[name] = values
	return r
}

func (r *request) forUsages(usages ...certificatesv1.KeyUsage) *request {
	r.csr.Spec.Usages = usages
	return r
}

func (r *request) forNames(names ...string) *request {
	r.template.DNSNames = names
	return r
}

func (r *request) forSubject(subject pkix.Name) *request {
	r.template.Subject = subject
	return r
}

func (r *request) forIP() *request {
	r.template.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)}
	return r
}

func (r *request) forURI() *request {
	r.template.URIs = []*url.URL{{Scheme: "spiffe", Host: "cluster.local"}}
	return r
}

func (r *request) forEmail() *request {
	r.template.EmailAddresses = []string{"issuer@example.com"}
	return r
}

func (r *request) withKey(key crypto.Signer) *request {
	r.key = key
	return r
}

func (r *request) encodedAs(encode func(der []byte) []byte) *request {
	r.encode = encode
	return r
}

func (r *request) build(t *testing.T) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &r.template, r.key)
	if err != nil {
		t.Fatal(err)
	}
	r.csr.Spec.Request = r.encode(der)
	return &r.csr
}

func newECDSA(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSA(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
