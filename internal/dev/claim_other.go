//go:build !linux

package dev

import (
	"context"
	"errors"
	"net"
)

// claim works on Linux only.
func claim(context.Context) (net.Listener, func() error, error) {
	return nil, nil, errors.New("--claim-address needs Linux: elsewhere, point SDKs here by environment")
}
