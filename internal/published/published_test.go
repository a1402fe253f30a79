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

func TestWhatIsPublishedIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	read, err := Read(some().Data())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(some(), read); diff != "" {
		t.Errorf("it (-want +got):\n%s", diff)
	}
	if !maps.Equal(some().Data(), some().Data()) {
		t.Error("the same is written in two ways")
	}
}

func TestNothingIsPublished(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]map[string]string{"no data": nil, "no keys": {"tenants": "a"}} {
		read, err := Read(data)
		if read != nil || err != nil || read.Has("one") || read.RevokedTimes() != 0 {
			t.Errorf("%s: %+v, %v", name, read, err)
		}
	}
}

func TestLatestIsKept(t *testing.T) {
	t.Parallel()
	var changes int
	latest := &Latest{Log: logr.Discard(), OnChange: func(before, now *Published) {
		if changes++; before != nil && changes == 1 || now == nil {
			t.Errorf("the change is from %v to %v", before, now)
		}
	}}
	latest.Update(some().Data())
	garbage := some().Data()
	garbage["generation"] = "x"
	for _, data := range []map[string]string{nil, {"jwks.json": "{"}, garbage} {
		latest.Update(data)
		if current := latest.Current(); !current.Has("one") || current.Has("three") {
			t.Errorf("after %v, %+v is known", data, current)
		}
	}
	if changes != 1 {
		t.Errorf("%d changes are told", changes)
	}
}
