package published

import (
	"maps"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
)

const jwks = `{"keys":[{"kty":"RSA","kid":"one","use":"sig","n":"AQAB","e":"AQAB"},{"kty":"RSA","kid":"two","use":"sig","n":"AQAB","e":"AQAB"}]}`

func some() *Published {
	return &Published{
		JWKS: []byte(jwks), KeyIDs: map[string]bool{"one": true, "two": true}, Tenants: map[string]bool{"a": true, "b": true},
		Generation: 7, Revocations: 2,
	}
}

func TestReadReadsWhatDataWrote(t *testing.T) {
	t.Parallel()
	read, err := Read(some().Data())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(some(), read); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if !maps.Equal(some().Data(), some().Data()) {
		t.Error("Data is not deterministic")
	}
}

func TestNothingIsPublished(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]map[string]string{"no data": nil, "no keys": {"tenants": "a"}} {
		read, err := Read(data)
		if read != nil || err != nil || read.Has("one") || read.RevokedTimes() != 0 {
			t.Errorf("%s: got %+v, error %v", name, read, err)
		}
	}
}

func TestLatestIsKept(t *testing.T) {
	t.Parallel()
	var changes int
	latest := &Latest{Log: logr.Discard(), OnChange: func(before, now *Published) {
		if changes++; before != nil && changes == 1 || now == nil {
			t.Errorf("change from %v to %v", before, now)
		}
	}}
	latest.Update(some().Data())
	garbage := some().Data()
	garbage["generation"] = "x"
	for _, data := range []map[string]string{nil, {"jwks.json": "{"}, garbage} {
		latest.Update(data)
		if current := latest.Current(); !current.Has("one") || current.Has("three") {
			t.Errorf("after %v: current = %+v", data, current)
		}
	}
	if changes != 1 {
		t.Errorf("%d changes are reported", changes)
	}
}
