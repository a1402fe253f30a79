// Package address finds addresses for processes that tests start.
package address

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports are below those that Linux gives to outgoing connections, which could take one before the process listens.
const (
	firstPort = 10_000
	lastPort  = 32_000
)

// attempts bounds the search for a free port.
const attempts = 1000

// Free returns different loopback addresses where nothing listens.
func Free(count int) ([]string, error) {
	var addresses []string
	for range count {
		listener, err := listen()
		if err != nil {
			return nil, err
		}
		// Each is held until all are found.
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

func listen() (net.Listener, error) {
	var last error
	for range attempts {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort)))
		if err == nil {
			return listener, nil
		}
		last = err
	}
	return nil, fmt.Errorf("find a free port: %w", last)
}
