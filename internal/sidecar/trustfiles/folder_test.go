package trustfiles

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/kube-imds/kube-imds/internal/pki/authority"
	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
)

// ca is an authority of an installation.
type ca struct{ *authority.CA }

// newCA returns an authority that may sign for localhost.
func newCA(t *testing.T) ca {
	t.Helper()
	made, err := authority.NewCA([]string{"localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ca{made}
}

func (c ca) pem() []byte { return encode(c.Certificate) }

// newFolder returns a folder with these authorities.
func newFolder(t *testing.T, authorities []byte) *Folder {
	t.Helper()
	folder := &Folder{
		Path: filepath.Join(t.TempDir(), "trust"), Authorities: authorities, AuthoritiesFile: filepath.Join(t.TempDir(), "ca.crt"),
		Logger: slog.New(slog.DiscardHandler),
	}
	if err := folder.Fill(); err != nil {
		t.Fatal(err)
	}
	return folder
}

func (f *Folder) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(f.Path, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// hashes returns the names of the hashed files.
func (f *Folder) hashes(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(f.Path, settings.TrustHashed))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestFolderHasPublicRootsAndAuthorities(t *testing.T) {
	t.Parallel()
	current, next := newCA(t), newCA(t)
	own := append(current.pem(), next.pem()...)
	folder := newFolder(t, own)
	if got := folder.read(t, settings.TrustOwn); got != string(own) {
		t.Errorf("own authorities = %s", got)
	}
	all := folder.read(t, settings.TrustAll)
	if count := strings.Count(all, "BEGIN CERTIFICATE"); count < 100 || !strings.HasSuffix(all, string(own)) {
		t.Errorf("the bundle has %d certificates", count)
	}
	store, err := pkcs12.DecodeTrustStore([]byte(folder.read(t, settings.TrustJava)), "")
	if err != nil || len(store) != strings.Count(all, "BEGIN CERTIFICATE") {
		t.Errorf("the trust store has %d certificates, error %v", len(store), err)
	}
	if hashes := folder.hashes(t); len(hashes) != 2 {
		t.Errorf("hashed files = %v", hashes)
	}
	var size int64
	for _, name := range []string{settings.TrustOwn, settings.TrustAll, settings.TrustJava, settings.TrustHashed} {
		info, err := os.Stat(filepath.Join(folder.Path, name))
		if err != nil || info.Mode().Perm()&0o044 != 0o044 {
			t.Errorf("%s is not for everybody: %v, %v", name, info, err)
			continue
		}
		size += info.Size()
	}
	if size > 600<<10 {
		t.Errorf("the folder has %d bytes", size)
	}
	again, err := render(own)
	if err != nil || string(again[settings.TrustJava]) != folder.read(t, settings.TrustJava) {
		t.Errorf("the trust store differs the second time: %v", err)
	}
}

// Two authorities with one subject have two numbers.
func TestAuthoritiesOfOneSubject(t *testing.T) {
	t.Parallel()
	one := newCA(t).Certificate
	files, err := hashed([]*x509.Certificate{one, one})
	if err != nil || len(files) != 2 {
		t.Fatalf("files = %v, %v", files, err)
	}
	for name := range files {
		if !strings.HasSuffix(name, ".0") && !strings.HasSuffix(name, ".1") {
			t.Errorf("file %s", name)
		}
	}
}

func TestFolderFollowsTheFile(t *testing.T) {
	t.Parallel()
	first, second := newCA(t), newCA(t)
	folder := newFolder(t, first.pem())
	before := folder.hashes(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go folder.Run(ctx)
		look := func(content []byte) {
			t.Helper()
			if err := os.WriteFile(folder.AuthoritiesFile, content, 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(lookEvery)
			synctest.Wait()
		}
		for name, content := range map[string][]byte{
			"nothing": nil, "garbage": []byte("garbage"), "a huge file": bytes.Repeat(second.pem(), maxBundle/100),
			"a certificate of nonsense": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("nonsense")}),
		} {
			look(content)
			if got := folder.read(t, settings.TrustOwn); got != string(first.pem()) {
				t.Errorf("%s: own authorities = %s", name, got)
			}
		}
		look(second.pem())
		if got := folder.read(t, settings.TrustOwn); got != string(second.pem()) {
			t.Errorf("own authorities = %s", got)
		}
		if hashes := folder.hashes(t); len(hashes) != 1 || hashes[0] == before[0] {
			t.Errorf("hashed files = %v, before %v", hashes, before)
		}
	})
}

// A pod whose file is there already begins with it.
func TestFolderBeginsWithTheFile(t *testing.T) {
	t.Parallel()
	first, second := newCA(t), newCA(t)
	folder := &Folder{
		Path: t.TempDir(), Authorities: first.pem(), AuthoritiesFile: filepath.Join(t.TempDir(), "ca.crt"), Logger: slog.New(slog.DiscardHandler),
	}
	if err := os.WriteFile(folder.AuthoritiesFile, second.pem(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := folder.Fill(); err != nil {
		t.Fatal(err)
	}
	if got := folder.read(t, settings.TrustOwn); got != string(second.pem()) {
		t.Errorf("own authorities = %s", got)
	}
}
