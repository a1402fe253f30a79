package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/testing/relay"
)

// link forwards connections to one of several servers, as a Service does, and counts what they send.
type link struct {
	listener net.Listener
	source   net.IP
	received relay.Count

	mu      sync.Mutex
	servers []string
	last    string
}

// connectTimeout bounds an attempt to reach a server.
const connectTimeout = 5 * time.Second

// newLink starts a link to servers. To them connections come from a source address, unless that is nil.
func newLink(source net.IP, servers ...string) (*link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a link: %w", err)
	}
	made := &link{listener: listener, source: source, servers: servers}
	go made.accept()
	return made, nil
}

func (l *link) address() string { return l.listener.Addr().String() }

// leadsTo reports whether the last connection led to a server.
func (l *link) leadsTo(server string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last == server
}

// connect connects to any of the servers.
func (l *link) connect() (net.Conn, error) {
	l.mu.Lock()
	server := l.servers[rand.IntN(len(l.servers))]
	l.mu.Unlock()
	dialer := &net.Dialer{Timeout: connectTimeout}
	if l.source != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: l.source}
	}
	connection, err := dialer.Dial("tcp", server)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = server
	return connection, nil
}

func (l *link) close() { _ = l.listener.Close() }

func (l *link) accept() {
	for {
		client, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go l.pass(client)
		}
	}
}

func (l *link) pass(client net.Conn) {
	server, err := l.connect()
	if err != nil {
		_ = client.Close()
		return
	}
	l.received.Pass(client, server)
}
