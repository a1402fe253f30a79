package certificate

import (
	"context"
	"crypto/tls"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// publicEvery is how often public hosts are looked at. Whoever changes them all the time causes no more requests for certificates than that.
const publicEvery = 10 * time.Second

// WithPublic is the certificate of a server's own names, and that of the public hosts which others declare. They are two so that nothing that
// is declared can spoil the first one.
type WithPublic struct{ own, public *Kept }

// KeepWithPublic returns the certificates that a signer issues for a server's own names, and for public hosts while there are any.
func KeepWithPublic(config *rest.Config, signer string, own []string, public func(context.Context) ([]string, error), authorities *cabundle.Latest, log logr.Logger) (*WithPublic, error) {
	kept, err := KeepServing(config, signer, own, authorities, log)
	if err != nil {
		return nil, err
	}
	wanted := kept.wanted
	wanted.Names, wanted.LookEvery = public, publicEvery
	return &WithPublic{kept, Keep(wanted, log.WithName("public"))}, nil
}

// Ready reports whether there is a certificate for the server's own names.
func (w *WithPublic) Ready() bool { return w.own.Ready() }

// GetCertificate returns the certificate for the name that a client asks for.
func (w *WithPublic) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	public := w.public.Current()
	if public != nil && slices.Contains(public.Leaf.DNSNames, strings.ToLower(hello.ServerName)) {
		return public, nil
	}
	return w.own.GetCertificate(hello)
}

// NeedLeaderElection returns false: every replica has certificates.
func (w *WithPublic) NeedLeaderElection() bool { return false }

// Start renews the certificates until the context ends.
func (w *WithPublic) Start(ctx context.Context) error {
	var both errgroup.Group
	for _, one := range []*Kept{w.own, w.public} {
		both.Go(func() error { return one.Start(ctx) })
	}
	return both.Wait()
}
