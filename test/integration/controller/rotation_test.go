package controller

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/cluster/configmap"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
)

var names = install.Names{Name: release, Namespace: namespace}

// The tests in this file are not parallel, because they change the authority.

// A client that trusts the bundle only, and reads it before each connection, does not notice two rotations. After the
// Secret is cleared, the former authority is no longer trusted.
func TestRotationIsNotNoticed(t *testing.T) {
	s := start(t)
	servers := []server{{s.controller.webhook, names.Services("webhook")[0]}, s.serve(t)}
	bundle := s.bundle(t)
	ended, stop := s.connect(t, servers)
	for range 2 {
		ended.await(t)
		before := bundle
		s.changeAuthority(t, func(secret *corev1.Secret) {
			secret.Annotations = map[string]string{keyring.RotateAnnotation: "now"}
		})
		until(t, "the next certificate signs, and the one before is trusted", func() bool {
			bundle = s.bundle(t)
			return len(bundle) > 2 && bundle[0].Equal(before[1]) && bundle.Find(cabundle.KeyID(before[0])) != nil
		})
		ended.await(t)
	}
	stop()

	s.changeAuthority(t, func(secret *corev1.Secret) { secret.Data = nil })
	for _, server := range servers {
		until(t, server.name+" has a certificate of the new authority", func() bool {
			leaf, err := server.handshake(t.Context(), nil)
			return err == nil && s.bundle(t).SignerOf(leaf) == 0 && bundle.SignerOf(leaf) < 0
		})
	}
	for _, gone := range bundle {
		if s.bundle(t).Find(cabundle.KeyID(gone)) != nil {
			t.Error("a certificate of the old authority is trusted")
		}
	}
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}}
	s.eventually(t, configuration, func() string {
		if string(configuration.Webhooks[0].ClientConfig.CABundle) != string(s.bundle(t).PEM()) {
			return "the API server trusts another authority"
		}
		return ""
	})
}

// A revoked certificate is no longer trusted, and the next one signs at once.
func TestRevocationTakesEffectAtOnce(t *testing.T) {
	s := start(t)
	servers := []server{{s.controller.webhook, names.Services("webhook")[0]}, s.serve(t)}
	var before cabundle.Bundle
	until(t, "a next certificate is published", func() bool {
		before = s.bundle(t)
		return len(before) > 1
	})
	s.changeAuthority(t, func(secret *corev1.Secret) {
		secret.Annotations = map[string]string{keyring.RevokeAnnotation: keyring.CurrentKey}
	})
	for _, server := range servers {
		until(t, server.name+" has a certificate of the next authority", func() bool {
			leaf, err := server.handshake(t.Context(), nil)
			return err == nil && leaf.CheckSignatureFrom(before[1]) == nil
		})
	}
	if s.bundle(t).Find(cabundle.KeyID(before[0])) != nil {
		t.Error("the revoked certificate is trusted")
	}
}

// server is the address of a part, and the name in its certificate.
type server struct{ address, name string }

// serve serves with a certificate that the controller signs for a node's issuer.
func (s *system) serve(t *testing.T) server {
	t.Helper()
	config := rest.CopyConfig(s.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: names.Username("issuer"), Groups: []string{"system:authenticated"}, Extra: map[string][]string{
		"authentication.kubernetes.io/pod-name": {"kube-imds-issuer-abcde"}, "authentication.kubernetes.io/node-name": {"node-1"},
	}}
	roots := &cabundle.Latest{}
	watch, err := configmap.NewWatch(config, names.CA(), roots.Update)
	if err != nil {
		t.Fatal(err)
	}
	name := issuerapi.NodeHost("node-1", names.Services("issuer")[0])
	kept, err := certificate.KeepServing(config, certificate.IssuerSigner, []string{names.Services("issuer")[0], name}, roots, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range []func(context.Context) error{watch.Start, kept.Start} {
		go func() {
			if err := run(t.Context()); err != nil {
				t.Error(err)
			}
		}()
	}
	until(t, "there is a serving certificate", kept.Ready)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: kept.GetCertificate, MinVersion: tls.VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = connection.(*tls.Conn).Handshake()
				_ = connection.Close()
			}()
		}
	}()
	return server{listener.Addr().String(), name}
}

// handshake connects and returns the server's certificate. Without roots it accepts any certificate.
func (s server) handshake(ctx context.Context, roots *x509.CertPool) (*x509.Certificate, error) {
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &tls.Config{
		RootCAs: roots, InsecureSkipVerify: roots == nil, ServerName: s.name, MinVersion: tls.VersionTLS13,
	}}
	connection, err := dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// rounds counts rounds of connections to all servers.
type rounds struct{ atomic.Int64 }

// await waits for some rounds.
func (r *rounds) await(t *testing.T) {
	t.Helper()
	before := r.Load()
	until(t, "clients connect", func() bool { return r.Load() > before+20 })
}

// connectEvery is the pause between two rounds of connections, to stay well below the rate at which the webhook's server resets
// those of a single source.
const connectEvery = 20 * time.Millisecond

// connect connects to the servers in turn until it is stopped, and trusts the bundle that is in the ConfigMap at the time.
func (s *system) connect(t *testing.T, servers []server) (made *rounds, stop func()) {
	t.Helper()
	made = &rounds{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		next := time.NewTicker(connectEvery)
		defer next.Stop()
		for ; ctx.Err() == nil; made.Add(1) {
			<-next.C
			roots := s.bundle(t).Pool()
			for _, server := range servers {
				if _, err := server.handshake(ctx, roots); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
					t.Errorf("round %d, %s: %v", made.Load(), server.name, err)
				}
			}
		}
	}()
	return made, func() {
		cancel()
		<-ended
	}
}

// bundle returns the ConfigMap's bundle, or nothing.
func (s *system) bundle(t *testing.T) cabundle.Bundle {
	var config corev1.ConfigMap
	if err := s.Get(context.WithoutCancel(t.Context()), names.CA(), &config); err != nil {
		t.Error(err)
		return nil
	}
	bundle, err := cabundle.Parse([]byte(config.Data[cabundle.Key]))
	if err != nil {
		t.Error(err)
	}
	return bundle
}

// changeAuthority changes the authority's Secret, with retries on conflicts.
func (s *system) changeAuthority(t *testing.T, change func(*corev1.Secret)) {
	t.Helper()
	var secret corev1.Secret
	if err := s.Get(t.Context(), names.CA(), &secret); err != nil {
		t.Fatal(err)
	}
	before := secret.DeepCopy()
	change(&secret)
	if err := s.Patch(t.Context(), &secret, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}
