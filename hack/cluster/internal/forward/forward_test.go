package forward

import (
	"errors"
	"io"
	"net"
	"testing"
)

func TestBytesAndEndsAreForwardedBothWays(t *testing.T) {
	client, outside := pipe(t)
	inside, server := pipe(t)
	go carry(outside, func() (net.Conn, error) { return inside, nil })

	if _, err := io.WriteString(client, "question"); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	// ReadAll returns only if the client's end is forwarded.
	if got, err := io.ReadAll(server); err != nil || string(got) != "question" {
		t.Fatalf("server read %q, error %v, want question", got, err)
	}
	if _, err := io.WriteString(server, "answer"); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(client); err != nil || string(got) != "answer" {
		t.Errorf("client read %q, error %v, want answer", got, err)
	}
}

func TestConnectionIsClosedWhenDialFails(t *testing.T) {
	client, outside := pipe(t)
	go carry(outside, func() (net.Conn, error) { return nil, errors.New("refused") })
	if got, err := io.ReadAll(client); err != nil || len(got) > 0 {
		t.Errorf("client read %q, error %v, want EOF", got, err)
	}
}

// pipe returns the two ends of a TCP connection.
func pipe(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = dialled.Close(), accepted.Close() })
	return dialled.(*net.TCPConn), accepted.(*net.TCPConn)
}
