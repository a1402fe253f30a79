package storagegate

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAccountsAreKept(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	accounts, err := OpenAccounts(folder)
	if err != nil {
		t.Fatal(err)
	}
	if accounts.Known("orders", "first") {
		t.Error("an account is known before it is made")
	}
	if err := accounts.add("orders", "first"); err != nil {
		t.Fatal(err)
	}
	again, err := OpenAccounts(folder)
	if err != nil || !again.Known("orders", "first") || again.Known("orders", "second") || again.Known("other", "first") {
		t.Errorf("kept = %+v, error %v", again, err)
	}
	content, err := os.ReadFile(filepath.Join(folder, AccountsFile))
	if err != nil {
		t.Fatal(err)
	}
	var read map[string]struct{ Key string }
	if err := json.Unmarshal(content, &read); err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(read["orders"].Key)
	if err != nil || len(key) != 64 {
		t.Errorf("key of %d bytes, error %v", len(key), err)
	}
	// An account that is made again has another key.
	if err := again.add("orders", "second"); err != nil || again.Known("orders", "first") {
		t.Errorf("the first account stays, error %v", err)
	}
	if changed, err := os.ReadFile(filepath.Join(folder, AccountsFile)); err != nil || string(changed) == string(content) {
		t.Errorf("the file stays, error %v", err)
	}
}

func TestBrokenAccountsAreNotForgotten(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, AccountsFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAccounts(folder); err == nil {
		t.Error("a file that cannot be read is taken for an empty one")
	}
}

func TestCertificateIsKept(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	made, err := KeepCertificate(folder, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := KeepCertificate(folder, time.Now().Add(time.Hour))
	if err != nil || !kept.Equal(made) {
		t.Errorf("it is made again: %v", err)
	}
	for _, name := range []string{KeyFile, CertificateFile} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(folder, CertificateFile), filepath.Join(folder, KeyFile)); err != nil {
		t.Error(err)
	}
	// A key without its certificate is of no use: the gate ended between both.
	if err := os.Remove(filepath.Join(folder, CertificateFile)); err != nil {
		t.Fatal(err)
	}
	if another, err := KeepCertificate(folder, time.Now()); err != nil || another.Equal(made) {
		t.Errorf("error %v", err)
	}
}
