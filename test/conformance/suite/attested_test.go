package suite

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// attestor serves attested documents like Azure's, or with a change.
type attestor struct {
	tweakLeaf     func(*x509.Certificate)
	tweakContent  func(map[string]any)
	tweakEnvelope func(*signedData)
}

// attestorKeys are the keys of an authority and of a leaf. They are shared, because making them takes long.
var attestorKeys = sync.OnceValues(func() (authority, leaf *rsa.PrivateKey) {
	return newKey(), newKey()
})

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

var nonceText = regexp.MustCompile(`^[0-9A-Za-z_-]{1,32}$`)

func (a attestor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body := a.answer(r)
	for name, value := range map[string]string{
		"Server": "IMDS/1.2.3", "Content-Type": typeJSON, "X-Ms-Request-Id": sampleClientID, "Content-Length": strconv.Itoa(len(body)),
	} {
		w.Header().Set(name, value)
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func (a attestor) answer(r *http.Request) (status int, body string) {
	query := r.URL.Query()
	nonces, given := query["nonce"]
	switch {
	case r.URL.Path != attestedPath:
		return http.StatusNotFound, `{ "error": "Not found" }`
	case given && (len(nonces) > 1 || !nonceText.MatchString(nonces[0])):
		return http.StatusBadRequest, `{ "error": "Bad request" }`
	}
	return http.StatusOK, `{"encoding":"pkcs7","signature":"` + a.sign(a.content(query.Get("api-version"), query.Get("nonce"))) + `"}`
}

// content returns the signed content.
func (a attestor) content(version, nonce string) []byte {
	created := time.Now().UTC()
	expires := created.Add(attestedLife)
	if nonce == "" {
		nonce = expires.Format(nonceTime)
	}
	content := map[string]any{
		"nonce": nonce, "vmId": sampleInstance.VMID,
		"plan":      map[string]string{"name": "", "product": "", "publisher": ""},
		"timeStamp": map[string]string{"createdOn": azureTime(created), "expiresOn": azureTime(expires)},
	}
	for since, names := range map[string]string{"2019-04-30": "subscriptionId", "2019-11-01": "sku", "2020-09-01": "licenseType"} {
		if since <= version {
			content[names] = ""
		}
	}
	if _, there := content["subscriptionId"]; there {
		content["subscriptionId"] = sampleInstance.SubscriptionID
	}
	if a.tweakContent != nil {
		a.tweakContent(content)
	}
	return must(json.Marshal(content))
}

// azureTime formats a time with the zone -0000, which Go's layouts do not have.
func azureTime(t time.Time) string { return t.Format("01/02/06 15:04:05") + " -0000" }

// sign returns the envelope as base64.
func (a attestor) sign(content []byte) string {
	authority, key := attestorKeys()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "metadata.azure.com"},
		DNSNames:  []string{"metadata.azure.com", "westeurope.metadata.azure.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IssuingCertificateURL: []string{"http://example.org/authority.crt"},
	}
	if a.tweakLeaf != nil {
		a.tweakLeaf(template)
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "an authority"}}
	leaf := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, authority))))
	digest := sha256.Sum256(content)
	algorithm := pkix.AlgorithmIdentifier{Algorithm: oidSHA256WithRSA, Parameters: asn1.NullRawValue}
	signed := signedData{
		Version:          1,
		DigestAlgorithms: []pkix.AlgorithmIdentifier{algorithm},
		Encapsulated:     contentInfo{oidData, explicit(must(asn1.Marshal(content)))},
		Certificates:     explicit(leaf.Raw),
		Signers: []signerInfo{{
			Version:            1,
			Signer:             issuerAndSerial{asn1.RawValue{FullBytes: leaf.RawIssuer}, leaf.SerialNumber},
			DigestAlgorithm:    algorithm,
			SignatureAlgorithm: pkix.AlgorithmIdentifier{Algorithm: oidRSA, Parameters: asn1.NullRawValue},
			Signature:          must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])),
		}},
	}
	if a.tweakEnvelope != nil {
		a.tweakEnvelope(&signed)
	}
	message := must(asn1.Marshal(contentInfo{oidSignedData, explicit(must(asn1.Marshal(signed)))}))
	return base64.StdEncoding.EncodeToString(message)
}

// explicit wraps an encoding under the tag 0.
func explicit(inside []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Tag: 0, Bytes: inside}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// attesting returns our server's handler with the attestor's documents.
func attesting(a attestor) http.Handler {
	others := fixedHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/metadata/attested") {
			a.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

func TestDocumentLikeAzuresPasses(t *testing.T) {
	t.Parallel()
	only := regexp.MustCompile(`^attested/(document|nonce|version|content|envelope)/?`)
	for _, result := range ran(t, serve(t, attesting(attestor{})), Options{Only: only}) {
		if result.Outcome != OK {
			t.Error(result)
		}
	}
}

func TestDifferentDocumentFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		attestor attestor
		failing  string
	}{
		"another version":            {attestor{tweakEnvelope: func(s *signedData) { s.Version = 3 }}, "envelope/signed-data"},
		"the digest's usual OID":     {attestor{tweakEnvelope: func(s *signedData) { s.DigestAlgorithms[0].Algorithm = oidSHA256 }}, "envelope/digest-algorithms"},
		"a detached signature":       {attestor{tweakEnvelope: func(s *signedData) { s.Encapsulated.Content = asn1.RawValue{} }}, "envelope/attached-content"},
		"two certificates":           {attestor{tweakEnvelope: func(s *signedData) { s.Certificates = explicit(append(s.Certificates.Bytes, s.Certificates.Bytes...)) }}, "envelope/one-certificate"},
		"no certificate":             {attestor{tweakEnvelope: func(s *signedData) { s.Certificates = asn1.RawValue{} }}, "envelope/one-certificate"},
		"two signatures":             {attestor{tweakEnvelope: func(s *signedData) { s.Signers = append(s.Signers, s.Signers[0]) }}, "envelope/one-signer"},
		"signed attributes":          {attestor{tweakEnvelope: func(s *signedData) { s.Signers[0].SignedAttributes = explicit([]byte{0x30, 0}) }}, "envelope/no-signed-attributes"},
		"a weaker digest":            {attestor{tweakEnvelope: func(s *signedData) { s.Signers[0].DigestAlgorithm.Algorithm = oidData }}, "envelope/signature-algorithm"},
		"a wrong signature":          {attestor{tweakEnvelope: func(s *signedData) { s.Signers[0].Signature[7] ^= 1 }}, "envelope/signature"},
		"another signer":             {attestor{tweakEnvelope: func(s *signedData) { s.Signers[0].Signer.Serial = big.NewInt(8) }}, "envelope/signature"},
		"the name of another host":   {attestor{tweakLeaf: func(c *x509.Certificate) { c.Subject.CommonName = "metadata.example.org" }}, "envelope/leaf/common-name"},
		"no alternative names":       {attestor{tweakLeaf: func(c *x509.Certificate) { c.DNSNames = nil }}, "envelope/leaf/alternative-names"},
		"a usage missing":            {attestor{tweakLeaf: func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }}, "envelope/leaf/usage"},
		"no issuer URL":              {attestor{tweakLeaf: func(c *x509.Certificate) { c.IssuingCertificateURL = nil }}, "envelope/leaf/issuer-url"},
		"an expired certificate":     {attestor{tweakLeaf: func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }}, "envelope/leaf/valid-now"},
		"another nonce":              {attestor{tweakContent: func(c map[string]any) { c["nonce"] = "1" }}, "nonce/ten-digits"},
		"a field of a later version": {attestor{tweakContent: func(c map[string]any) { c["sku"] = "" }}, "version/2018-10-01"},
		"the ID of another machine":  {attestor{tweakContent: func(c map[string]any) { c["vmId"] = sampleClientID }}, "content/vmId"},
		"a number":                   {attestor{tweakContent: func(c map[string]any) { c["sku"] = 1 }}, "content/strings"},
		"times of RFC 3339":          {attestor{tweakContent: func(c map[string]any) { c["timeStamp"] = map[string]string{"createdOn": "2022-04-19T01:27:21Z"} }}, "content/time-format"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantFailure(t, serve(t, attesting(test.attestor)), "attested/"+test.failing)
		})
	}
}
