package process

import (
	"os"
	"strings"
	"testing"
)

func TestStartTimeOf(t *testing.T) {
	const fields = " 1 2 2 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 8675309 0 0"
	for _, test := range []struct{ name, stat, want string }{
		{"running process", "42 (etcd) S" + fields, "8675309"},
		{"name with spaces and parentheses", "42 (a (b) c) R" + fields, "8675309"},
		{"name like the fields", "42 (x) Z 1) S" + fields, "8675309"},
		{"zombie", "42 (etcd) Z" + fields, ""},
		{"cut short", "42 (etcd) S 1 2", ""},
		{"empty", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := startTimeOf(test.stat); got != test.want {
				t.Errorf("startTimeOf(%q) = %q, want %q", test.stat, got, test.want)
			}
		})
	}
}

func TestRecordedProcessIsFound(t *testing.T) {
	supervisor := Supervisor{Folder: t.TempDir()}
	if err := supervisor.remember("etcd", os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if got := supervisor.Running("etcd"); got != os.Getpid() {
		t.Errorf("Running() = %d, want %d", got, os.Getpid())
	}
	if err := supervisor.forget("etcd"); err != nil {
		t.Fatal(err)
	}
	if got := supervisor.Running("etcd"); got != 0 {
		t.Errorf("after forget: Running() = %d, want 0", got)
	}
	if err := supervisor.forget("etcd"); err != nil {
		t.Errorf("second forget: %v", err)
	}
}

func TestReusedProcessIDIsNotTheDaemon(t *testing.T) {
	supervisor := Supervisor{Folder: t.TempDir()}
	if err := supervisor.remember("etcd", os.Getpid()); err != nil {
		t.Fatal(err)
	}
	path := supervisor.recordPath("etcd")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	started := startTime(os.Getpid())
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(content), started, started+"0")), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := supervisor.Running("etcd"); got != 0 {
		t.Errorf("Running() = %d for a process with another start time, want 0", got)
	}
}

func TestMalformedRecordIsIgnored(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "cut short": `{"pid":1,`, "invalid process ID": `{"pid":-1,"started":""}`} {
		t.Run(name, func(t *testing.T) {
			supervisor := Supervisor{Folder: t.TempDir()}
			if err := os.WriteFile(supervisor.recordPath("etcd"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := supervisor.Running("etcd"); got != 0 {
				t.Errorf("Running() = %d, want 0", got)
			}
		})
	}
}
