package entra

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// maxPublicFile bounds a public file of an issuer.
const maxPublicFile = 1 << 20

// issuers has what was read of the issuers' public files.
type issuers struct {
	mu    sync.Mutex
	known map[string]*issuer

	// reads counts the attempts to read the files of an issuer. lastError is why the last failed attempt failed, which Entra
	// tells nobody.
	reads     int
	lastError string
}

type issuer struct {
	// mu is held while the files are read, so that all who wait for them share one read.
	mu   sync.Mutex
	keys *jose.JSONWebKeySet
	at   time.Time
}

// of returns an issuer. There are no more than registered credentials name, because others do not get so far.
func (i *issuers) of(url string) *issuer {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known[url] == nil {
		i.known[url] = &issuer{}
	}
	return i.known[url]
}

func (i *issuers) count(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.reads++
	if err != nil {
		i.lastError = err.Error()
	}
}

// issuerKey returns the key that an assertion names.
func (s *Server) issuerKey(ctx context.Context, asked *ask) (*rsa.PublicKey, *refusal) {
	named, keyID := asked.assertion.claims.Issuer, asked.assertion.keyID
	from := s.issuers.of(named)
	from.mu.Lock()
	defer from.mu.Unlock()
	now := s.Now()
	age := now.Sub(from.at)
	fresh := from.keys != nil && s.KeysAge > 0 && age < s.KeysAge
	key := from.key(keyID)
	if !fresh || key == nil && age >= s.KeysPause {
		keys, refused := s.readIssuer(ctx, named)
		switch {
		case refused == nil:
			from.keys, from.at = keys, now
		case !fresh:
			return nil, refused
		}
		key = from.key(keyID)
	}
	if key == nil {
		return nil, refuse(7000272, "The certificate with identifier '%s' used to sign the federated credential could not be found in the metadata of identity provider '%s'.",
			keyID, named)
	}
	return key, nil
}

// key returns an RSA key by its ID, or nil.
func (i *issuer) key(id string) *rsa.PublicKey {
	if i.keys == nil || id == "" {
		return nil
	}
	for _, one := range i.keys.Key(id) {
		if key, ok := one.Key.(*rsa.PublicKey); ok {
			return key
		}
	}
	return nil
}

// readIssuer reads the public files of an issuer.
func (s *Server) readIssuer(ctx context.Context, named string) (*jose.JSONWebKeySet, *refusal) {
	const failed = "Request to External OIDC endpoint failed."
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	err := s.read(ctx, strings.TrimSuffix(named, "/")+"/.well-known/openid-configuration", &document)
	if err == nil && document.Issuer != named {
		err = fmt.Errorf("the discovery document of %s has the issuer %q", named, document.Issuer)
	}
	if err != nil {
		s.issuers.count(err)
		return nil, refuse(90061, failed)
	}
	keys := &jose.JSONWebKeySet{}
	err = s.read(ctx, document.Keys, keys)
	s.issuers.count(err)
	if err != nil {
		return nil, refuse(50166, failed)
	}
	return keys, nil
}

func (s *Server) read(ctx context.Context, url string, into any) error {
	if !strings.HasPrefix(url, "https://") {
		return fmt.Errorf("%q is not an https URL", url)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("read %q: %w", url, err)
	}
	response, err := s.Reader.Do(request)
	if err != nil {
		return fmt.Errorf("read an issuer's public file: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxPublicFile+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", url, err)
	}
	if len(content) > maxPublicFile {
		return errors.New(url + " is too big")
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("read %s: %w", url, err)
	}
	return nil
}
