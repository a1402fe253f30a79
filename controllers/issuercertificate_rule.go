package controllers

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
)

// The user attributes by which the API server says that a token is bound to a pod, and on which node.
const (
	podNameAttribute  = "authentication.kubernetes.io/pod-name"
	nodeNameAttribute = "authentication.kubernetes.io/node-name"
)

// IssuerCertificateRule says which serving certificates are signed: those that an issuer asks for with its pod-bound
// token, for the names of its own Service (docs/design/parts.md, "Certificates").
type IssuerCertificateRule struct {
	// Username is the issuer's.
	Username string

	// DNSNames are the names that it may ask for.
	DNSNames []string
}

// Check is the template of the certificate, or why there is none.
func (r IssuerCertificateRule) Check(csr *certificatesv1.CertificateSigningRequest) (*x509.Certificate, error) {
	if csr.Spec.Username != r.Username {
		return nil, fmt.Errorf("only %s may ask for it, not %s", r.Username, csr.Spec.Username)
	}
	if len(csr.Spec.Extra[podNameAttribute]) != 1 || len(csr.Spec.Extra[nodeNameAttribute]) != 1 {
		return nil, errors.New("the token that it was asked with is not bound to a pod on a node")
	}
	request, err := parseRequest(csr)
	if err != nil {
		return nil, err
	}
	return r.template(csr, request)
}

func (r IssuerCertificateRule) template(csr *certificatesv1.CertificateSigningRequest, request *x509.CertificateRequest) (*x509.Certificate, error) {
	if len(request.DNSNames) == 0 || len(request.IPAddresses)+len(request.URIs)+len(request.EmailAddresses) > 0 {
		return nil, errors.New("it must be for DNS names, and for nothing else")
	}
	for _, name := range append(slices.Clone(request.DNSNames), request.Subject.CommonName) {
		if !slices.Contains(r.DNSNames, name) {
			return nil, fmt.Errorf("it must be for names among %v, not %q", r.DNSNames, name)
		}
	}
	usage := x509.KeyUsageDigitalSignature
	for _, asked := range csr.Spec.Usages {
		switch asked {
		case certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth:
		case certificatesv1.UsageKeyEncipherment:
			usage |= x509.KeyUsageKeyEncipherment
		default:
			return nil, fmt.Errorf("it must be for a server, not for %q", asked)
		}
	}
	if !slices.Contains(csr.Spec.Usages, certificatesv1.UsageServerAuth) {
		return nil, errors.New("it must be for a server")
	}
	if err := checkKey(request.PublicKey); err != nil {
		return nil, err
	}
	// Of the subject, only the name was checked.
	return &x509.Certificate{
		PublicKey: request.PublicKey, Subject: pkix.Name{CommonName: request.Subject.CommonName}, DNSNames: request.DNSNames,
		KeyUsage: usage, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, nil
}

func checkKey(public any) error {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return nil
	case *rsa.PublicKey:
		if key.N.BitLen() >= 2048 {
			return nil
		}
	}
	return errors.New("its key must be an ECDSA key, or an RSA key of at least 2048 bits")
}

func nodeNameOf(csr *certificatesv1.CertificateSigningRequest) string {
	if names := csr.Spec.Extra[nodeNameAttribute]; len(names) > 0 {
		return names[0]
	}
	return ""
}
