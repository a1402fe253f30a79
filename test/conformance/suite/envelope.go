package suite

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// envelopeCases returns the cases about the signature of an attested document, for strict verifiers such as coder's: see
// https://github.com/coder/coder, coderd/azureidentity.
func envelopeCases() []Case {
	cases := make([]Case, len(envelopeRules))
	for i, rule := range envelopeRules {
		cases[i] = ask("attested/envelope/"+rule.name, get(anAttestation), Expectation{says: rule.says, check: func(s *seen) error {
			envelope, err := s.last().envelope()
			if err == nil {
				err = rule.check(envelope)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", rule.says, err)
			}
			return nil
		}})
	}
	return cases
}

var envelopeRules = []struct {
	name, says string
	check      func(*envelope) error
}{
	{"signed-data", "SignedData of version 1", func(e *envelope) error {
		return unlessSame(e.Version, 1)
	}},
	{"digest-algorithms", "one digest algorithm, with the OID of sha256WithRSAEncryption", func(e *envelope) error {
		if len(e.DigestAlgorithms) != 1 || !e.DigestAlgorithms[0].Algorithm.Equal(oidSHA256WithRSA) {
			return fmt.Errorf("got %v", e.DigestAlgorithms)
		}
		return nil
	}},
	{"attached-content", "the content is attached, as data", func(e *envelope) error {
		if !e.Encapsulated.Type.Equal(oidData) || len(e.content) == 0 {
			return fmt.Errorf("got %d bytes of %s", len(e.content), e.Encapsulated.Type)
		}
		return nil
	}},
	{"one-certificate", "exactly one certificate", func(e *envelope) error {
		_, err := e.leaf()
		return err
	}},
	{"one-signer", "exactly one signature, of version 1", func(e *envelope) error {
		signer, err := e.signer()
		if err != nil {
			return err
		}
		return unlessSame(signer.Version, 1)
	}},
	{"no-signed-attributes", "no signed attributes", ofSigner(func(signer signerInfo) error {
		if len(signer.SignedAttributes.FullBytes) > 0 {
			return errors.New("there are some")
		}
		return nil
	})},
	{"signature-algorithm", "a signature by RSA over SHA-256", ofSigner(func(signer signerInfo) error {
		digest, signature := signer.DigestAlgorithm.Algorithm, signer.SignatureAlgorithm.Algorithm
		if !digest.Equal(oidSHA256) && !digest.Equal(oidSHA256WithRSA) || !signature.Equal(oidRSA) && !signature.Equal(oidSHA256WithRSA) {
			return fmt.Errorf("got algorithms %s and %s", digest, signature)
		}
		return nil
	})},
	{"signature", "the signature verifies over the content", (*envelope).verify},
	{"key", "a key of RSA with 2048 bits or more", ofLeaf(func(leaf *x509.Certificate) error {
		key, ok := leaf.PublicKey.(*rsa.PublicKey)
		if !ok || key.N.BitLen() < 2048 {
			return fmt.Errorf("got a %T", leaf.PublicKey)
		}
		return nil
	})},
	{"leaf/common-name", "a common name such as metadata.azure.com", ofLeaf(func(leaf *x509.Certificate) error {
		if !metadataName.MatchString(leaf.Subject.CommonName) {
			return fmt.Errorf("got %q", leaf.Subject.CommonName)
		}
		return nil
	})},
	{"leaf/alternative-names", "the common name among the alternative names", ofLeaf(func(leaf *x509.Certificate) error {
		if !slices.Contains(leaf.DNSNames, leaf.Subject.CommonName) {
			return fmt.Errorf("got %q", leaf.DNSNames)
		}
		return nil
	})},
	{"leaf/usage", "for servers and clients", ofLeaf(func(leaf *x509.Certificate) error {
		if !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
			return fmt.Errorf("got usages %v", leaf.ExtKeyUsage)
		}
		return nil
	})},
	{"leaf/issuer-url", "says at which http URL its issuer's certificate is", ofLeaf(func(leaf *x509.Certificate) error {
		if !slices.ContainsFunc(leaf.IssuingCertificateURL, func(url string) bool { return strings.HasPrefix(url, "http://") }) {
			return fmt.Errorf("got URLs %q", leaf.IssuingCertificateURL)
		}
		return nil
	})},
	{"leaf/no-authority", "no certificate of an authority", ofLeaf(func(leaf *x509.Certificate) error {
		if leaf.IsCA || leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil {
			return errors.New("it is one, or signed by itself")
		}
		return nil
	})},
	{"leaf/valid-now", "valid now", ofLeaf(func(leaf *x509.Certificate) error {
		if now := time.Now(); now.Before(leaf.NotBefore.Add(-clockError)) || now.After(leaf.NotAfter) {
			return fmt.Errorf("valid from %s to %s", leaf.NotBefore, leaf.NotAfter)
		}
		return nil
	})},
}

// metadataName matches the names that coder accepts.
var metadataName = regexp.MustCompile(`^(.*\.)?metadata\.(azure\.(com|us|cn)|microsoftazure\.de)$`)

func ofLeaf(check func(*x509.Certificate) error) func(*envelope) error {
	return func(e *envelope) error {
		leaf, err := e.leaf()
		if err != nil {
			return err
		}
		return check(leaf)
	}
}

func ofSigner(check func(signerInfo) error) func(*envelope) error {
	return func(e *envelope) error {
		signer, err := e.signer()
		if err != nil {
			return err
		}
		return check(signer)
	}
}

func unlessSame(got, wanted int) error {
	if got != wanted {
		return fmt.Errorf("got %d", got)
	}
	return nil
}
