package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the path of the tested binary.
var program string

func TestMain(m *testing.M) {
	if operation := os.Getenv(operationVariable); operation != "" {
		os.Exit(runApplication(operation))
	}
	os.Exit(func() int {
		directory, err := os.MkdirTemp("", "kubectl-imds-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(directory)
		// One test runs it as another user.
		if err := os.Chmod(directory, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		program = filepath.Join(directory, "kubectl-imds")
		if output, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, output)
			return 1
		}
		return m.Run()
	}())
}

// process is a running kubectl imds dev.
type process struct {
	t       *testing.T
	command *exec.Cmd
	log     *buffer

	// printed is its output on start, and exported the variables in it.
	printed  string
	exported map[string]string
}

var export = regexp.MustCompile(`(?m)^export ([A-Z_]+)=(\S+)$`)

// start runs it, and returns after it has printed its instructions. It adds ports 0 if no address is given.
func start(t *testing.T, arguments ...string) *process {
	t.Helper()
	if !strings.Contains(strings.Join(arguments, " "), "--listen") {
		arguments = append(arguments, "--listen", "127.0.0.1:0", "--key-vault-listen", "127.0.0.1:0")
	}
	p := &process{t: t, command: exec.Command(program, append([]string{"dev"}, arguments...)...), log: &buffer{}, exported: map[string]string{}}
	p.command.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	p.command.Stderr = p.log
	output, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		_ = p.command.Wait()
	})
	lines := bufio.NewReader(output)
	for !strings.Contains(p.printed, "\ncurl ") {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("ended before it had started: %v\n%s%s", err, p.printed, p.log)
		}
		p.printed += line
	}
	for _, found := range export.FindAllStringSubmatch(p.printed, -1) {
		p.exported[found[1]] = found[2]
	}
	return p
}

func (p *process) baseURL() string { return p.exported["AZURE_POD_IDENTITY_AUTHORITY_HOST"] }

// stop sends it a signal. It must end with status 0.
func (p *process) stop(signal syscall.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		p.t.Errorf("ended with %v after %v\n%s", err, signal, p.log)
	}
}

// refuse runs it, and returns the error with which it must end at once.
func refuse(t *testing.T, input string, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, append([]string{"dev"}, arguments...)...)
	command.Stdin = strings.NewReader(input)
	return fail(t, command)
}

// fail runs a command that must end at once with an error, and returns that.
func fail(t *testing.T, command *exec.Cmd) string {
	t.Helper()
	var printed, stderr bytes.Buffer
	command.Stdout, command.Stderr = &printed, &stderr
	// If it starts to serve, it would never end.
	timer := time.AfterFunc(20*time.Second, func() { _ = command.Process.Kill() })
	defer timer.Stop()
	var exit *exec.ExitError
	if err := command.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("ended with %v, want status 1\n%s%s", err, &printed, &stderr)
	}
	if printed.Len() > 0 {
		t.Errorf("printed %q", &printed)
	}
	return stderr.String()
}

// write writes a YAML file and returns its path.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "identities.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu      sync.Mutex
	content bytes.Buffer
}

var _ io.Writer = (*buffer)(nil)

func (b *buffer) Write(content []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.Write(content)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.String()
}
