package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// flooded is a server in a separate process, so that its memory can be measured without its clients'.
type flooded struct {
	testing.TB
	process *exec.Cmd
	address string
}

// floodedVariable makes this test's binary be the server, on the address in its value.
const floodedVariable = "KUBE_IMDS_TEST_FLOODED"

func TestMain(m *testing.M) {
	if address := os.Getenv(floodedVariable); address != "" {
		beFlooded(address)
		return
	}
	os.Exit(m.Run())
}

func beFlooded(address string) {
	certificate, err := tls.X509KeyPair([]byte(os.Getenv("CERTIFICATE")), []byte(os.Getenv("KEY")))
	if err != nil {
		panic(err)
	}
	getCertificate := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }
	var bounds Bounds
	if err := json.Unmarshal([]byte(os.Getenv("BOUNDS")), &bounds); err != nil {
		panic(err)
	}
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	fmt.Println(New(address, handler, getCertificate, deadline, WithBounds(bounds)).Start(context.Background()))
}

func startFlooded(t testing.TB, bounds Bounds) *flooded {
	t.Helper()
	encoded, err := json.Marshal(bounds)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key := testKeyPair(t)
	f := &flooded{TB: t, address: freeAddress(t)}
	f.process = exec.Command(os.Args[0])
	f.process.Env = append(os.Environ(), floodedVariable+"="+f.address, "CERTIFICATE="+certificate, "KEY="+key, "BOUNDS="+string(encoded))
	f.process.Stdout, f.process.Stderr = os.Stderr, os.Stderr
	if err := f.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = f.process.Process.Kill()
		_ = f.process.Wait()
	})
	f.waitForListener()
	return f
}

func (f *flooded) waitForListener() {
	f.Helper()
	for start := time.Now(); time.Since(start) < deadline; time.Sleep(time.Millisecond) {
		connection, err := net.Dial("tcp", f.address)
		if err == nil {
			_ = connection.Close()
			return
		}
	}
	f.Fatal("the server does not listen")
}

// memory returns the resident memory of the server's process in bytes.
func (f *flooded) memory() int {
	f.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.process.Process.Pid))
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		if value, found := strings.CutPrefix(string(line), "VmRSS:"); found {
			kilobytes, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				f.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	f.Fatal("the process's status has no VmRSS")
	return 0
}

// flood opens idle HTTP/2 connections from source addresses, many at the same time, and returns how many stay open.
func (f *flooded) flood(connections int, source func(i int) netip.Addr) int {
	f.Helper()
	var (
		open    sync.WaitGroup
		mu      sync.Mutex
		staying []net.Conn
	)
	turns := make(chan struct{}, 64)
	for i := range connections {
		turns <- struct{}{}
		open.Go(func() {
			defer func() { <-turns }()
			connection, err := openIdle(f.Context(), f.address, source(i))
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			staying = append(staying, connection)
		})
	}
	open.Wait()
	count := 0
	for _, connection := range staying {
		if !isClosed(connection) {
			count++
		}
		f.Cleanup(func() { _ = connection.Close() })
	}
	return count
}

// openIdle opens a TLS connection, begins HTTP/2, and leaves it idle.
func openIdle(ctx context.Context, address string, source netip.Addr) (net.Conn, error) {
	dialer := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0)), Timeout: deadline}
	raw, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	connection := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	_ = connection.SetDeadline(time.Now().Add(deadline))
	if err := prepare(connection); err != nil {
		_ = raw.Close()
		return nil, err
	}
	_ = connection.SetDeadline(time.Time{})
	return connection, nil
}

// prepare begins HTTP/2 and waits for the server's settings.
func prepare(connection *tls.Conn) error {
	if err := connection.Handshake(); err != nil {
		return err
	}
	if connection.ConnectionState().NegotiatedProtocol != "h2" {
		return nil
	}
	noSettings := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0}
	if _, err := connection.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), noSettings...)); err != nil {
		return err
	}
	_, err := bufio.NewReaderSize(connection, 16).Peek(9)
	return err
}

// isClosed reports whether the server has closed a connection.
func isClosed(connection net.Conn) bool {
	_ = connection.SetReadDeadline(time.Now().Add(time.Millisecond))
	buffer := make([]byte, 512)
	for {
		if _, err := connection.Read(buffer); err != nil {
			return !isTimeout(err)
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// pod returns the loopback address of a pod.
func pod(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 1, byte(i + 1)}) }

// patient returns NodeBounds without the bound on unproven connections.
func patient() Bounds {
	bounds := NodeBounds
	bounds.Unproven = 0
	return bounds
}

// unbounded are bounds that do not matter.
var unbounded = Bounds{Connections: 1 << 20, PerSource: 1 << 20, PerSecond: 1 << 20, Burst: 1 << 20}

func TestConnectionsOfOnePodAreBounded(t *testing.T) {
	t.Parallel()
	f := startFlooded(t, patient())
	if open := f.flood(2000, func(int) netip.Addr { return pod(0) }); open != patient().PerSource {
		t.Errorf("one pod holds %d connections", open)
	}
	if open := f.flood(1, func(int) netip.Addr { return pod(1) }); open != 1 {
		t.Error("another pod is refused")
	}
}

func TestConnectionsOfAllPodsAreBounded(t *testing.T) {
	t.Parallel()
	bounds := patient()
	bounds.Connections = 64
	f := startFlooded(t, bounds)
	if open := f.flood(400, func(i int) netip.Addr { return pod(i % 20) }); open == 0 || open > bounds.Connections {
		t.Errorf("%d connections stay open", open)
	}
	if open := f.flood(1, func(int) netip.Addr { return pod(20) }); open != 1 {
		t.Error("another pod is refused")
	}
}

// BenchmarkFlood measures a server's memory under 6,000 idle connections of one pod, or of 250, as a multiple of its memory at rest.
func BenchmarkFlood(b *testing.B) {
	for name, bounds := range map[string]Bounds{"unbounded": unbounded, "bounded": patient()} {
		for pods, from := range map[string]int{"1 pod": 1, "250 pods": 250} {
			b.Run(name+"/"+pods, func(b *testing.B) {
				for b.Loop() {
					f := startFlooded(b, bounds)
					f.flood(1, func(int) netip.Addr { return pod(251) })
					before := f.memory()
					open := f.flood(6000, func(i int) netip.Addr { return pod(i % from) })
					b.ReportMetric(float64(open), "open")
					b.ReportMetric(float64(f.memory())/float64(before), "times-the-memory")
				}
			})
		}
	}
}
