package token

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// Point 33 of the list that ends clients.md: az reads tid of a JWT in three parts, which it does not verify.
func TestPoint33TokenIsAJWTWithItsTenant(t *testing.T) {
	t.Parallel()
	key, _ := keys(t)
	claims, err := NewClaims(of(orders(), "https://management.core.windows.net/"), baseURL, noon)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := key.Sign(t.Context(), claims)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(signed, ".")
	if len(parts) != 3 {
		t.Fatalf("token has %d parts", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		TenantID string `json:"tid"`
	}
	if err := json.Unmarshal(payload, &read); err != nil || read.TenantID != tenant {
		t.Errorf("tid = %q, error %v", read.TenantID, err)
	}
}
