// Package transit starts the transit engine of HashiCorp Vault for tests.
package transit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is an engine that can be stopped and started again.
type Server struct {
	testing.TB

	// URL is the URL of its API.
	URL string

	// Token may sign and read public halves only.
	Token string

	root, folder, address string
	command               *exec.Cmd
}

// Start starts an engine for as long as the test runs. VAULT_TRANSIT names its program; without, the test is skipped.
func Start(t testing.TB) *Server {
	t.Helper()
	if os.Getenv("VAULT_TRANSIT") == "" {
		t.Skip("VAULT_TRANSIT is not set: hack/integration.sh builds the program")
	}
	s := &Server{TB: t, folder: t.TempDir(), address: freeAddress(t)}
	s.URL = "http://" + s.address
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Start starts the server again with its data.
func (s *Server) Start() {
	s.Helper()
	s.command = exec.Command(os.Getenv("VAULT_TRANSIT"), "-data", s.folder, "-listen", s.address)
	s.command.Stderr = s.Output()
	if err := s.command.Start(); err != nil {
		s.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		response, err := http.Get(s.URL + "/v1/sys/health")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(deadline) {
			s.Fatalf("the engine is not ready: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for name, token := range map[string]*string{"root-token": &s.root, "signer-token": &s.Token} {
		content, err := os.ReadFile(filepath.Join(s.folder, name))
		if err != nil {
			s.Fatal(err)
		}
		*token = string(content)
	}
}

// Stop stops the server. Its data stays.
func (s *Server) Stop() {
	if s.command.ProcessState == nil {
		_ = s.command.Process.Kill()
		_ = s.command.Wait()
	}
}

// Freeze stops the process: it accepts connections and answers nothing until Thaw. It returns once every thread has stopped.
func (s *Server) Freeze() {
	s.Helper()
	s.signal(syscall.SIGSTOP)
	for deadline := time.Now().Add(time.Minute); !s.isFrozen(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatal("the server does not freeze")
		}
	}
}

// isFrozen reports whether every thread of the process is in the state T (proc_pid_stat(5)).
func (s *Server) isFrozen() bool {
	s.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.command.Process.Pid))
	if err != nil {
		s.Fatal(err)
	}
	for _, thread := range threads {
		content, err := os.ReadFile(thread)
		if err != nil {
			continue // The thread has ended.
		}
		// The state follows the program's name, which is in parentheses.
		if _, rest, _ := strings.Cut(string(content), ") "); !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return true
}

// Thaw continues a frozen server.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal os.Signal) {
	s.Helper()
	if err := s.command.Process.Signal(signal); err != nil {
		s.Fatal(err)
	}
}

// MakeKey creates a key of a type, such as "rsa-2048".
func (s *Server) MakeKey(name, kind string) {
	s.Helper()
	s.call(http.MethodPost, "transit/keys/"+name, map[string]string{"type": kind})
}

// RotateKey adds a version to a key.
func (s *Server) RotateKey(name string) {
	s.Helper()
	s.call(http.MethodPost, "transit/keys/"+name+"/rotate", `{}`)
}

// ExchangeKey replaces a key by another one.
func (s *Server) ExchangeKey(name string) {
	s.Helper()
	s.call(http.MethodPost, "transit/keys/"+name+"/config", `{"deletion_allowed":true}`)
	s.call(http.MethodDelete, "transit/keys/"+name, `{}`)
	s.MakeKey(name, "rsa-2048")
}

// call calls the API as root. body is JSON or a value to encode.
func (s *Server) call(method, path string, body any) []byte {
	s.Helper()
	content, ok := body.(string)
	if !ok {
		rendered, err := json.Marshal(body)
		if err != nil {
			s.Fatal(err)
		}
		content = string(rendered)
	}
	answer, err := s.ask(method, path, content)
	if err != nil {
		s.Fatal(err)
	}
	return answer
}

func (s *Server) ask(method, path, content string) ([]byte, error) {
	request, err := http.NewRequest(method, s.URL+"/v1/"+path, bytes.NewReader([]byte(content)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Vault-Token", s.root)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, answer)
	}
	return answer, err
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
