package main

import (
	"crypto/tls"
	"slices"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/internal/pki/certificate"
)

// publicHostsEvery is how often the public hosts of vaults are looked at. Whoever changes them all the time causes no more requests for
// certificates than that.
const publicHostsEvery = 10 * time.Second

// certificates are those of the vaults' own names and of their public hosts. They are two so that nothing that is declared can spoil the
// first one.
type certificates struct{ own, public *certificate.Kept }

// get returns the certificate for the name that a client asks for.
func (c certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	public := c.public.Current()
	if public != nil && slices.Contains(public.Leaf.DNSNames, strings.ToLower(hello.ServerName)) {
		return public, nil
	}
	return c.own.GetCertificate(hello)
}
