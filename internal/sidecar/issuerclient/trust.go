package issuerclient

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
)

// maxBundleBytes bounds the file with the authorities.
const maxBundleBytes = 64 << 10

// errNoCertificate is the error of a text without a certificate.
var errNoCertificate = errors.New("it holds no certificate in PEM")

// trust is the set of authorities that the issuer's certificate must be signed by: those in the file or, until that is
// valid for the first time, those from the pod's injection. A missing or invalid file changes nothing.
type trust struct {
	file   string
	logger *slog.Logger

	bundle []byte
	pool   *x509.CertPool

	// seen is the state of the file at the last look, and failing reports whether it was invalid.
	seen    fs.FileInfo
	failing bool
}

// newTrust returns the trust in a PEM bundle. An empty file name means that there is no file.
func newTrust(bundle []byte, file string, logger *slog.Logger) (*trust, error) {
	pool, err := poolOf(bundle)
	if err != nil {
		return nil, fmt.Errorf("read the issuer's certificate authority: %w", err)
	}
	return &trust{file: file, logger: logger, bundle: bundle, pool: pool}, nil
}

// refresh looks at the file and reports whether the authorities have changed. An unchanged file costs a stat, because the
// kubelet replaces files.
func (t *trust) refresh() (changed bool) {
	if t.file == "" {
		return false
	}
	info, err := os.Stat(t.file)
	if errors.Is(err, fs.ErrNotExist) && t.seen == nil {
		return false
	}
	if err == nil && t.seen != nil && os.SameFile(t.seen, info) && t.seen.ModTime().Equal(info.ModTime()) && t.seen.Size() == info.Size() {
		return false
	}
	if err == nil {
		t.seen = info
		changed, err = t.read()
	}
	if err != nil && !t.failing {
		t.logger.Warn("the file of the issuer's authorities is no good; those that were known go on being trusted", "file", t.file, "error", err)
	}
	t.failing = err != nil
	return changed
}

func (t *trust) read() (changed bool, err error) {
	file, err := os.Open(t.file)
	if err != nil {
		return false, err
	}
	defer file.Close()
	bundle, err := readAtMost(file, maxBundleBytes)
	if err != nil {
		return false, err
	}
	if bytes.Equal(bundle, t.bundle) {
		return false, nil
	}
	pool, err := poolOf(bundle)
	if err != nil {
		return false, err
	}
	t.bundle, t.pool = bundle, pool
	t.logger.Info("the issuer's authorities are others than before", "file", t.file)
	return true, nil
}

func poolOf(bundle []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, errNoCertificate
	}
	return pool, nil
}

// errNotTrusted says what to do if no authority that the pod knows signed the issuer's certificate.
var errNotTrusted = errors.New("the issuer's certificate is of an authority that the pod does not know (yet): the kubelet brings " +
	"new ones in the volume kube-imds-token within some two minutes; a pod whose volume has no ca.crt must be made anew")

// explain adds to an error what to do about it.
func explain(err error) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w: %w", errNotTrusted, err)
	}
	return err
}
