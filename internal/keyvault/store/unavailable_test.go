package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// While the API server does not answer, what is cached is read; its own answers stand.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	secrets := schema.GroupResource{Resource: "secrets"}
	for name, test := range map[string]struct {
		err    error
		cached bool
	}{
		"no answer":   {errors.New("connection refused"), true},
		"starting":    {apierrors.NewServiceUnavailable("starting"), true},
		"overloaded":  {apierrors.NewTooManyRequests("later", 1), true},
		"not allowed": {apierrors.NewForbidden(secrets, "x", errors.New("no")), false},
		"not there":   {apierrors.NewNotFound(secrets, "x"), false},
	} {
		cluster := fake.NewClientBuilder().Build()
		live := interceptor.NewClient(cluster, interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return test.err
			},
		})
		records := &Secrets{Client: live, Cache: cluster, Namespace: "vaults"}
		(&Store{Records: &Secrets{Client: cluster, Namespace: "vaults"}, Kind: "secret", Now: time.Now}).add(t, "greeting", "one", "hello")
		found, _ := (&Store{Records: records, Kind: "secret", Now: time.Now}).Get(t.Context(), vault, "greeting")
		if (found != nil) != test.cached {
			t.Errorf("%s: got %+v", name, found)
		}
	}
}

// What the cache lacks may be there all the same, so it is not said to be missing.
func TestUnavailableIsNotMissing(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	cluster := fake.NewClientBuilder().Build()
	live := interceptor.NewClient(cluster, interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return down
		},
	})
	if _, err := (&Secrets{Client: live, Cache: cluster, Namespace: "vaults"}).Get(t.Context(), "x"); !errors.Is(err, down) {
		t.Errorf("error = %v", err)
	}
}

func TestRecentIsBounded(t *testing.T) {
	t.Parallel()
	reads := 0
	cluster := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		Get: func(ctx context.Context, client client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			reads++
			return client.Get(ctx, key, into, options...)
		},
	})
	recent := &Recent{Records: &Secrets{Client: cluster, Namespace: "vaults"}, MaxBytes: 10}
	for _, name := range []string{"a", "b", "c"} {
		if err := recent.Create(t.Context(), &Record{Name: name, Content: []byte("12345"), Final: true}); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for _, name := range []string{"a", "b", "a", "c", "a", "b"} {
		before := reads
		if record, err := recent.Get(t.Context(), name); err != nil || string(record.Content) != "12345" {
			t.Fatalf("%s: got %+v, error %v", name, record, err)
		}
		got = append(got, reads-before)
	}
	if want := []int{1, 1, 0, 1, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("reads = %v, want %v: room is for two, and the one read longest ago makes place", got, want)
	}
}

// Records that may be replaced are read each time.
func TestRecentForgetsWhatChanges(t *testing.T) {
	t.Parallel()
	recent := &Recent{Records: &Memory{}, MaxBytes: 1000}
	record := &Record{Name: "a", Content: []byte("old")}
	if err := recent.Create(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if _, err := recent.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	record.Content = []byte("new")
	if err := recent.Replace(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if found, err := recent.Get(t.Context(), "a"); err != nil || string(found.Content) != "new" {
		t.Errorf("got %+v, error %v", found, err)
	}
	gone := &Record{Name: "b", Content: []byte(strings.Repeat("x", 10)), Final: true}
	if err := recent.Create(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if _, err := recent.Get(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if err := recent.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if found, err := recent.Get(t.Context(), "b"); found != nil || err != nil {
		t.Errorf("a deleted record is %+v, error %v", found, err)
	}
}

// What a Secret keeps is of the namespace alone, and final records are immutable.
func TestSecretsAreSecrets(t *testing.T) {
	t.Parallel()
	cluster := fake.NewClientBuilder().Build()
	records := &Secrets{Client: cluster, Namespace: "vaults"}
	if err := records.Create(t.Context(), &Record{Name: "a", Labels: Labels(), Content: []byte("x"), Final: true}); err != nil {
		t.Fatal(err)
	}
	var secret corev1.Secret
	if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: "vaults", Name: "a"}, &secret); err != nil {
		t.Fatal(err)
	}
	if secret.Immutable == nil || !*secret.Immutable || secret.Labels["app.kubernetes.io/component"] != "keyvault" {
		t.Errorf("Secret = %+v", secret)
	}
}
