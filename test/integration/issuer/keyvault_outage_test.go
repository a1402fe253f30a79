package issuer

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// testKilledServerLosesNothing kills the server while 200 writes go on, to ten secrets: what it answered for is there, and nothing is there
// by half.
func testKilledServerLosesNothing(t *testing.T, v *vaultTest) {
	const writes, names = 200, 10
	ctx, vault := t.Context(), v.client(t)
	var acknowledged sync.Map
	var answered atomic.Int32
	enough := make(chan struct{})
	var writing sync.WaitGroup
	for n := range writes {
		writing.Go(func() {
			name := fmt.Sprintf("killed-%d", n%names)
			set, err := vault.SetSecret(ctx, name, azsecrets.SetSecretParameters{Value: new(fmt.Sprint(n))}, nil)
			if err != nil {
				return
			}
			acknowledged.Store(name+"/"+set.ID.Version(), fmt.Sprint(n))
			if answered.Add(1) == writes/4 {
				close(enough)
			}
		})
	}
	<-enough
	v.server.kill(t)
	writing.Wait()
	v.server.start(t)

	found := map[string]string{}
	for n := range names {
		name := fmt.Sprintf("killed-%d", n)
		for pager := vault.NewListSecretPropertiesVersionsPager(name, nil); pager.More(); {
			page, err := pager.NextPage(ctx)
			must(t, err, "list the versions of %s", name)
			for _, one := range page.Value {
				version, err := vault.GetSecret(ctx, name, one.ID.Version(), nil)
				must(t, err, "read a version that is listed")
				found[name+"/"+one.ID.Version()] = *version.Value
			}
		}
	}
	count := 0
	for version, value := range acknowledged.Range {
		if count++; found[version.(string)] != value {
			t.Errorf("%s was acknowledged with %q, and is %q", version, value, found[version.(string)])
		}
	}
	if count == writes {
		t.Error("all writes were done before the server was killed")
	}
	t.Logf("%d of %d writes were acknowledged, %d are there", count, writes, len(found))
}

// testVaultWithoutAPIServer stops the API server: what was read goes on to be read, and writes are refused so that SDKs try again.
func testVaultWithoutAPIServer(t *testing.T, v *vaultTest) {
	ctx, vault := t.Context(), v.client(t)
	const read, unread = "read-before", "not-read-before"
	for _, name := range []string{read, unread} {
		_, err := vault.SetSecret(ctx, name, azsecrets.SetSecretParameters{Value: new("kept")}, nil)
		must(t, err, "set %s", name)
	}
	_, err := vault.GetSecret(ctx, read, "", nil)
	must(t, err, "read it")
	token, err := v.tokenFor(ctx, vaultResource)
	must(t, err, "get a token")
	// It is killed, which it reports: otherwise it would wait for watches.
	_ = v.environment.ControlPlane.APIServer.Stop()
	eventually(t, "the API server answers no more", func() error {
		if _, err := vault.SetSecret(ctx, "until", azsecrets.SetSecretParameters{Value: new("x")}, nil); err == nil {
			return errors.New("it answers")
		}
		return nil
	})

	found, err := vault.GetSecret(ctx, read, "", nil)
	must(t, err, "read what was read before")
	if *found.Value != "kept" {
		t.Errorf("value = %q", *found.Value)
	}
	for _, test := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"the list", http.MethodGet, "/secrets?api-version=7.6", "", http.StatusOK},
		{"the versions", http.MethodGet, "/secrets/" + unread + "/versions?api-version=7.6", "", http.StatusOK},
		{"a value that was not read before", http.MethodGet, "/secrets/" + unread + "?api-version=7.6", "", http.StatusServiceUnavailable},
		{"a secret that is not known", http.MethodGet, "/secrets/unknown?api-version=7.6", "", http.StatusServiceUnavailable},
		{"a write", http.MethodPut, "/secrets/" + read + "?api-version=7.6", `{"value":"lost"}`, http.StatusServiceUnavailable},
	} {
		status, header, body := v.send(t, test.method, test.path, "Bearer "+token, test.body)
		if status != test.status || status == http.StatusServiceUnavailable && header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %s", test.name, status, body)
		}
		if test.name == "the list" && !strings.Contains(body, read) {
			t.Errorf("the list misses %s: %s", read, body)
		}
	}
}
