package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

const vault = "a-vault"

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func newStore(calls interceptor.Funcs) *Store {
	return &Store{Client: fake.NewClientBuilder().WithInterceptorFuncs(calls).Build(), Namespace: "vaults", Kind: "secret", Now: func() time.Time { return noon }}
}

func (s *Store) add(t *testing.T, name, version, value string) {
	t.Helper()
	if err := s.PutValue(t.Context(), vault, name, version, []byte(value)); err != nil {
		t.Fatal(err)
	}
	_, err := s.Change(t.Context(), vault, name, func(object *Object) error {
		object.Versions = append(object.Versions, Version{ID: version})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWrittenIsRead(t *testing.T) {
	t.Parallel()
	s := newStore(interceptor.Funcs{})
	s.add(t, "Greeting", "one", "hello")
	s.add(t, "greeting", "two", "bye")
	found, err := s.Get(t.Context(), vault, "GREETING")
	if err != nil || found.Name != "Greeting" || found.Current().ID != "two" || found.Version("one") == nil || found.Version("three") != nil {
		t.Errorf("got %+v, error %v", found, err)
	}
	value, err := s.Value(t.Context(), vault, "greeting", "one")
	if err != nil || string(value) != "hello" {
		t.Errorf("value = %q, error %v", value, err)
	}
	if other, err := s.Get(t.Context(), "another-vault", "greeting"); other != nil || err != nil {
		t.Errorf("another vault has %+v, error %v", other, err)
	}
}

// Two writers lose nothing: the one that comes second edits what the first one wrote.
func TestConcurrentChangesAreAllKept(t *testing.T) {
	t.Parallel()
	for name, rivals := range map[string][]string{"a first write": {"rival"}, "a later write": {"before", "rival"}} {
		s := newStore(interceptor.Funcs{})
		for _, version := range rivals[:len(rivals)-1] {
			s.add(t, "contended", version, "x")
		}
		calls := 0
		changed, err := s.Change(t.Context(), vault, "contended", func(object *Object) error {
			if calls++; calls == 1 {
				s.add(t, "contended", "rival", "x")
			}
			object.Versions = append(object.Versions, Version{ID: "own"})
			return nil
		})
		if err != nil || calls != 2 {
			t.Errorf("%s: %d edits, error %v", name, calls, err)
		}
		var got []string
		for _, version := range changed.Versions {
			got = append(got, version.ID)
		}
		if want := append(slices.Clone(rivals), "own"); !slices.Equal(got, want) {
			t.Errorf("%s: versions = %q, want %q", name, got, want)
		}
	}
}

func TestErrorsAreReturned(t *testing.T) {
	t.Parallel()
	down, refused := errors.New("down"), errors.New("refused")
	s := newStore(interceptor.Funcs{Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return down }})
	if _, err := s.Change(t.Context(), vault, "a", func(*Object) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("an edit's error: %v", err)
	}
	if _, err := s.Change(t.Context(), vault, "a", func(*Object) error { return nil }); !errors.Is(err, down) {
		t.Errorf("a write's error: %v", err)
	}
}

func TestObjectIsBounded(t *testing.T) {
	t.Parallel()
	s := newStore(interceptor.Funcs{})
	_, err := s.Change(t.Context(), vault, "a", func(object *Object) error {
		object.Versions = append(object.Versions, Version{ID: "one", ContentType: strings.Repeat("x", maxObject)})
		return nil
	})
	if !errors.Is(err, ErrTooManyVersions) {
		t.Errorf("error = %v", err)
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	s := newStore(interceptor.Funcs{})
	s.add(t, "old", "one", "x")
	_, err := s.Change(t.Context(), vault, "old", func(object *Object) error {
		object.Deleted = &Deletion{Date: noon.Unix(), Purge: noon.Add(time.Hour).Unix()}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := s.Get(t.Context(), vault, "old"); err != nil || found == nil || found.Deleted == nil {
		t.Errorf("before the end: %+v, error %v", found, err)
	}
	s.Now = func() time.Time { return noon.Add(time.Hour) }
	if found, err := s.Get(t.Context(), vault, "old"); found != nil || err != nil {
		t.Errorf("after the end: %+v, error %v", found, err)
	}
	if all, err := s.List(t.Context(), vault); len(all) != 0 || err != nil {
		t.Errorf("list after the end: %v, error %v", all, err)
	}
	s.add(t, "old", "two", "y")
	if found, err := s.Get(t.Context(), vault, "old"); err != nil || len(found.Versions) != 1 || found.Current().ID != "two" {
		t.Errorf("made again: %+v, error %v", found, err)
	}
}

func TestPurgeLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(interceptor.Funcs{})
	s.add(t, "gone", "one", "x")
	s.add(t, "gone", "two", "x")
	s.add(t, "stays", "one", "x")
	if err := s.Purge(t.Context(), vault, "Gone"); err != nil {
		t.Fatal(err)
	}
	var left corev1.SecretList
	if err := s.Client.List(t.Context(), &left, client.InNamespace("vaults")); err != nil || len(left.Items) != 2 {
		t.Errorf("%d Secrets are left, want the object and the value of the other one; error %v", len(left.Items), err)
	}
}
