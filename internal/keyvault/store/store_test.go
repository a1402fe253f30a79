package store

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

const vault = "a-vault"

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// onAll runs a test with each way to keep records.
func onAll(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	for name, records := range map[string]func() Records{
		"Secrets": func() Records { return &Secrets{Client: fake.NewClientBuilder().Build(), Namespace: "vaults"} },
		"Memory":  func() Records { return &Memory{} },
		"Folder":  func() Records { return openFolder(t, filepath.Join(t.TempDir(), "vaults"), 1<<20) },
		"Recent": func() Records {
			return &Recent{Records: &Secrets{Client: fake.NewClientBuilder().Build(), Namespace: "vaults"}, MaxBytes: 100}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &Store{Records: records(), Kind: "secret", Now: func() time.Time { return noon }})
		})
	}
}

func (s *Store) add(t *testing.T, name, version, value string) {
	t.Helper()
	if err := s.PutValue(t.Context(), vault, name, version, []byte(value)); err != nil {
		t.Fatal(err)
	}
	s.change(t, name, func(object *Object) { object.Versions = append(object.Versions, Version{ID: version}) })
}

func (s *Store) change(t *testing.T, name string, edit func(object *Object)) {
	t.Helper()
	_, err := s.Change(t.Context(), vault, name, func(object *Object) error {
		edit(object)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// deleteUntil deletes an object until a time.
func (s *Store) deleteUntil(t *testing.T, name string, end time.Time) {
	t.Helper()
	s.change(t, name, func(object *Object) { object.Deleted = &Deletion{Date: noon.Unix(), Purge: end.Unix()} })
}

// records returns the names of all records, in order.
func (s *Store) records(t *testing.T) []string {
	t.Helper()
	all, err := s.Records.Names(t.Context(), map[string]string{vaultLabel: vault})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, record := range all {
		names = append(names, record.Name)
	}
	slices.Sort(names)
	return names
}

func TestWrittenIsRead(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, s *Store) {
		s.add(t, "Greeting", "one", "hello")
		s.add(t, "greeting", "two", "bye")
		found, err := s.Get(t.Context(), vault, "GREETING")
		if err != nil || found.Name != "Greeting" || found.Current().ID != "two" || found.Version("one") == nil || found.Version("three") != nil {
			t.Errorf("got %+v, error %v", found, err)
		}
		for range 2 {
			if value, err := s.Value(t.Context(), vault, "greeting", "one"); err != nil || string(value) != "hello" {
				t.Errorf("value = %q, error %v", value, err)
			}
		}
		if _, err := s.Value(t.Context(), vault, "greeting", "three"); !errors.Is(err, ErrMissing) {
			t.Errorf("error of a value that is not there: %v", err)
		}
		if other, err := s.Get(t.Context(), "another-vault", "greeting"); other != nil || err != nil {
			t.Errorf("another vault has %+v, error %v", other, err)
		}
		s.add(t, "Apple", "one", "x")
		all, err := s.List(t.Context(), vault)
		if err != nil || len(all) != 2 || all[0].Name != "Apple" || all[1].Name != "Greeting" {
			t.Errorf("list = %+v, error %v", all, err)
		}
	})
}

// Two writers lose nothing: the one that comes second edits what the first one wrote.
func TestConcurrentChangesAreAllKept(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, s *Store) {
		for name, rivals := range map[string][]string{"a-first-write": {"rival"}, "a-later-write": {"before", "rival"}} {
			for _, version := range rivals[:len(rivals)-1] {
				s.add(t, name, version, "x")
			}
			calls := 0
			changed, err := s.Change(t.Context(), vault, name, func(object *Object) error {
				if calls++; calls == 1 {
					s.add(t, name, "rival", "x")
				}
				object.Versions = append(object.Versions, Version{ID: "own"})
				return nil
			})
			if err != nil || calls != 2 {
				t.Errorf("%s: %d edits, error %v", name, calls, err)
			}
			if got, want := ids(changed), append(slices.Clone(rivals), "own"); !slices.Equal(got, want) {
				t.Errorf("%s: versions = %q, want %q", name, got, want)
			}
		}
	})
}

func ids(object *Object) []string {
	var all []string
	for _, version := range object.Versions {
		all = append(all, version.ID)
	}
	return all
}

// down are records that cannot be written.
type down struct{ Records }

var errDown = errors.New("down")

func (down) Create(context.Context, *Record) error { return errDown }

func TestErrorsAreReturned(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	s := &Store{Records: down{&Memory{}}, Kind: "secret", Now: time.Now}
	if _, err := s.Change(t.Context(), vault, "a", func(*Object) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("an edit's error: %v", err)
	}
	if _, err := s.Change(t.Context(), vault, "a", func(*Object) error { return nil }); !errors.Is(err, errDown) {
		t.Errorf("a write's error: %v", err)
	}
}

func TestObjectIsBounded(t *testing.T) {
	t.Parallel()
	s := &Store{Records: &Memory{}, Kind: "secret", Now: time.Now}
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
	onAll(t, func(t *testing.T, s *Store) {
		s.add(t, "old", "one", "x")
		s.deleteUntil(t, "old", noon.Add(time.Hour))
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
	})
}

func TestPurgeLeavesNothing(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, s *Store) {
		s.add(t, "stays", "one", "x")
		want := s.records(t)
		s.add(t, "gone", "one", "x")
		s.add(t, "gone", "two", "x")
		s.deleteUntil(t, "gone", noon)
		for _, name := range []string{"Gone", "stays", "missing"} {
			if err := s.Purge(t.Context(), vault, name); err != nil {
				t.Errorf("purge %s: %v", name, err)
			}
		}
		if got := s.records(t); !slices.Equal(got, want) {
			t.Errorf("left: %q, want %q", got, want)
		}
	})
}

func TestSweep(t *testing.T) {
	t.Parallel()
	records := &Memory{}
	s := &Store{Records: records, Kind: "secret", Now: time.Now}
	s.add(t, "stays", "one", "x")
	s.add(t, "deleted", "one", "x")
	s.deleteUntil(t, "deleted", time.Now().Add(48*time.Hour))
	want := s.records(t)
	s.add(t, "over", "one", "x")
	s.deleteUntil(t, "over", time.Now().Add(30*time.Minute))
	if err := s.PutValue(t.Context(), vault, "stays", "unfinished", []byte("x")); err != nil {
		t.Fatal(err)
	}
	all := s.records(t)
	for after, want := range map[time.Duration][]string{0: all, 2 * time.Hour: want} {
		sweeper := &Sweeper{Records: &Memory{records: maps.Clone(records.records)}, Now: func() time.Time { return time.Now().Add(after) }}
		if err := sweeper.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := (&Store{Records: sweeper.Records}).records(t); !slices.Equal(got, want) {
			t.Errorf("after %s: %q, want %q", after, got, want)
		}
	}
}

// A sweep removes nothing that is written meanwhile.
func TestSweepLeavesWhatIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := &Store{Records: &Memory{}, Kind: "secret", Now: time.Now}
	s.add(t, "again", "one", "x")
	s.deleteUntil(t, "again", noon)
	rival := madeAgain{s.Records, func() { s.add(t, "again", "two", "y") }}
	if err := (&Sweeper{Records: rival, Now: time.Now}).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := s.Get(t.Context(), vault, "again")
	if err != nil || found == nil || found.Current().ID != "two" {
		t.Fatalf("got %+v, error %v", found, err)
	}
	if value, err := s.Value(t.Context(), vault, "again", "two"); err != nil || string(value) != "y" {
		t.Errorf("value = %q, error %v", value, err)
	}
}

// madeAgain are records that are written right after the objects were listed.
type madeAgain struct {
	Records
	write func()
}

func (m madeAgain) List(ctx context.Context, labels map[string]string) ([]*Record, error) {
	all, err := m.Records.List(ctx, labels)
	m.write()
	return all, err
}

func TestExportedIsImported(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, s *Store) {
		s.add(t, "Kept", "one", "x")
		s.add(t, "kept", "two", "y")
		content, err := s.Export(t.Context(), vault, "kept", 1000)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Export(t.Context(), vault, "kept", len(content)-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("error of a small limit: %v", err)
		}
		if _, err := s.Export(t.Context(), vault, "missing", 1000); !errors.Is(err, ErrMissing) {
			t.Errorf("error without an object: %v", err)
		}
		if _, err := s.Import(t.Context(), vault, content); !errors.Is(err, ErrExists) {
			t.Errorf("error of an import over it: %v", err)
		}
		// As an import that ended halfway leaves it.
		if err := s.PutValue(t.Context(), "other", "kept", "one", []byte("x")); err != nil {
			t.Fatal(err)
		}
		restored, err := s.Import(t.Context(), "other", content)
		if err != nil || restored.Name != "Kept" || !slices.Equal(ids(restored), []string{"one", "two"}) {
			t.Fatalf("got %+v, error %v", restored, err)
		}
		for version, want := range map[string]string{"one": "x", "two": "y"} {
			if value, err := s.Value(t.Context(), "other", "kept", version); err != nil || string(value) != want {
				t.Errorf("version %s = %q, error %v", version, value, err)
			}
		}
	})
}

func TestImportReplacesNoValue(t *testing.T) {
	t.Parallel()
	s := &Store{Records: &Memory{}, Kind: "secret", Now: time.Now}
	s.add(t, "kept", "one", "x")
	content, err := s.Export(t.Context(), vault, "kept", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutValue(t.Context(), "other", "kept", "one", []byte("another")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Import(t.Context(), "other", content); !errors.Is(err, ErrExists) {
		t.Errorf("error = %v", err)
	}
}
