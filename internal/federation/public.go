package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fetchTimeout bounds the reading of a public file, and maxFile its size.
	fetchTimeout = 15 * time.Second
	maxFile      = 64 << 10
)

// ReadPublic reads the public files as Entra does, and returns the IDs of the keys in them. The error says what Entra would
// stumble over.
func ReadPublic(ctx context.Context, client *http.Client, issuer string) (map[string]bool, error) {
	var document discovery
	if err := fetch(ctx, client, issuer+DiscoveryPath, &document); err != nil {
		return nil, fmt.Errorf("read the public discovery document: %w", err)
	}
	if document.Issuer != issuer {
		return nil, fmt.Errorf("the public discovery document names the issuer %q, want %q to the letter", document.Issuer, issuer)
	}
	if err := CheckURL(document.JWKSURI); err != nil {
		return nil, fmt.Errorf("the public discovery document has the jwks_uri %q: want an https URL", document.JWKSURI)
	}
	var set jose.JSONWebKeySet // golang-jwt has no JWK type
	if err := fetch(ctx, client, document.JWKSURI, &set); err != nil {
		return nil, fmt.Errorf("read the public keys: %w", err)
	}
	ids := map[string]bool{}
	for _, key := range set.Keys {
		if key.IsPublic() && key.Valid() {
			ids[key.KeyID] = true
		}
	}
	return ids, nil
}

// fetch reads a JSON file.
func fetch(ctx context.Context, client *http.Client, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", url, response.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return fmt.Errorf("%s has the content type %q, want application/json", url, response.Header.Get("Content-Type"))
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxFile+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", url, err)
	}
	if len(content) > maxFile {
		return fmt.Errorf("%s has more than %d bytes", url, maxFile)
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%s is not the JSON that it should be", url)
	}
	return nil
}
