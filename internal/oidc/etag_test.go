package oidc

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/token"
)

func TestUnchangedDocumentsAreNotSentAgain(t *testing.T) {
	t.Parallel()
	handler := documents(t, new(strings.Builder), interceptor.Funcs{}, registration(t))
	for _, path := range []string{discoveryOf, keysOf} {
		first := get(handler, "/"+defaultTenant+path)
		tag := first.Header().Get("ETag")
		if first.Code != http.StatusOK || tag == "" {
			t.Fatalf("%s: %d with the ETag %q", path, first.Code, tag)
		}
		if again := getUnless(handler, "/"+defaultTenant+path, tag); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s: %d with a body of %d bytes", path, again.Code, again.Body.Len())
		}
		if changed := getUnless(handler, "/"+defaultTenant+path, `"another"`); changed.Code != http.StatusOK {
			t.Errorf("%s: %d to a client with another document", path, changed.Code)
		}
	}
}

// A cache lists its objects in no order.
func TestTheOrderOfKeysDoesNotChangeTheirETag(t *testing.T) {
	t.Parallel()
	one, other := registration(t), registration(t)
	var tags []string
	for _, order := range [][]v1alpha1.SigningKey{{*one, *other}, {*other, *one}} {
		handler := documents(t, new(strings.Builder), interceptor.Funcs{List: inOrder(order)})
		tags = append(tags, get(handler, "/"+defaultTenant+keysOf).Header().Get("ETag"))
	}
	if tags[0] == "" || tags[0] != tags[1] {
		t.Errorf("the ETags are %q", tags)
	}
}

// inOrder lists these keys.
func inOrder(keys []v1alpha1.SigningKey) func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
	return func(_ context.Context, _ client.WithWatch, list client.ObjectList, _ ...client.ListOption) error {
		if list, ok := list.(*v1alpha1.SigningKeyList); ok {
			list.Items = slices.Clone(keys)
		}
		return nil
	}
}

func registration(t *testing.T) *v1alpha1.SigningKey {
	t.Helper()
	key, err := token.NewKey(noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return key.Registration("node-1", "node-uid")
}

// getUnless asks for a document other than the one with this ETag.
func getUnless(handler http.Handler, path, tag string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header.Set("If-None-Match", tag)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}
