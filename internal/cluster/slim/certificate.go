package slim

import (
	certificatesv1 "k8s.io/api/certificates/v1"
)

// maxRequest bounds a certificate request, in bytes. One with an RSA key of 4096 bits has 2 KB.
const maxRequest = 8 << 10

// CertificateSigningRequest returns a transform that keeps the requests to some signers. It replaces issued certificates by
// a mark, and drops the contents of requests to other signers and of those that are too large.
func CertificateSigningRequest(signers ...string) func(any) (any, error) {
	ours := map[string]bool{}
	for _, signer := range signers {
		ours[signer] = true
	}
	return func(object any) (any, error) {
		csr, ok := object.(*certificatesv1.CertificateSigningRequest)
		if !ok {
			return object, nil
		}
		if !ours[csr.Spec.SignerName] {
			csr.Spec = certificatesv1.CertificateSigningRequestSpec{SignerName: csr.Spec.SignerName}
			csr.Status = certificatesv1.CertificateSigningRequestStatus{}
			return Bare(csr)
		}
		if len(csr.Spec.Request) > maxRequest {
			csr.Spec.Request = nil
		}
		if len(csr.Status.Certificate) > 0 {
			csr.Status.Certificate = signed
		}
		return Bare(csr)
	}
}

// signed stands for an issued certificate.
var signed = []byte("signed")
