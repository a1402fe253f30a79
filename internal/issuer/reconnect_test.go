package issuer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/server"
	"github.com/kube-imds/kube-imds/internal/sidecar/issuerclient"
	"github.com/kube-imds/kube-imds/internal/testing/address"
)

// BenchmarkReconnect measures how long after its issuer's return the last of 250 sidecars is served, with the sidecars' own client, and
// the issuer's HTTPS server, handler and bounds, all on this machine. A network that hides the sidecars' addresses is the harder case:
// they share the bounds of one source.
func BenchmarkReconnect(b *testing.B) {
	for _, away := range []time.Duration{time.Second, 5 * time.Second, 15 * time.Second} {
		b.Run("after "+away.String(), func(b *testing.B) {
			node := startNode(b)
			var longest, used time.Duration
			for b.Loop() {
				node.stop()
				<-time.After(away)
				before := processorTime(b)
				start := time.Now()
				node.start()
				node.awaitAll()
				longest, used = max(longest, time.Since(start)), used+processorTime(b)-before
			}
			b.ReportMetric(longest.Seconds(), "s-longest")
			b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkReconnectAtOnce measures the same for 250 sidecars that all ask in the same moment, for tokens of their applications.
func BenchmarkReconnectAtOnce(b *testing.B) {
	node := startNode(b)
	var longest, used time.Duration
	for b.Loop() {
		node.stop()
		node.start()
		clients := node.newClients()
		_ = dial(b, node.address).Close()
		before := processorTime(b)
		start := time.Now()
		var asking sync.WaitGroup
		for _, client := range clients {
			asking.Go(func() {
				if _, err := client.Token(b.Context(), imds.TokenRequest{Resource: vault}); err != nil {
					b.Error(err)
				}
			})
		}
		asking.Wait()
		longest, used = max(longest, time.Since(start)), used+processorTime(b)-before
		node.awaitAll()
	}
	b.ReportMetric(longest.Seconds(), "s-longest")
	b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/op")
}

// node is an issuer that stops and starts, and the sidecars of a full node, which hold requests there.
type node struct {
	*testing.B
	crowd     *crowd
	address   string
	authority authority
	bearers   []string

	end   context.CancelFunc
	ended chan error
}

// startNode starts the issuer and the sidecars, and waits until all are served.
func startNode(b *testing.B) *node {
	b.Helper()
	free, err := address.Free(1)
	if err != nil {
		b.Fatal(err)
	}
	n := &node{B: b, address: free[0], authority: newAuthority(b), bearers: crowdBearers(b, heldPods)}
	n.crowd = newCrowd(inMemoryOf(newWorld()), newWorld().pod)
	n.start()
	var watching sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	for _, client := range n.newClients() {
		watch := issuerclient.GrantWatch{
			Source: client, Logger: slog.New(slog.DiscardHandler), Answered: func() {}, Changed: func(*issuerapi.Grant) {},
		}
		watching.Go(func() { watch.Run(ctx) })
	}
	b.Cleanup(func() {
		stop()
		watching.Wait()
		n.stop()
	})
	n.awaitAll()
	n.awaitAll() // they have their grants, and hold their requests
	return n
}

func (n *node) newClients() []*issuerclient.Client {
	n.Helper()
	var clients []*issuerclient.Client
	folder := n.TempDir()
	for number, bearer := range n.bearers {
		file := filepath.Join(folder, uidOf(number))
		if err := os.WriteFile(file, []byte(bearer), 0o600); err != nil {
			n.Fatal(err)
		}
		client, err := issuerclient.New(issuerclient.Options{URL: "https://" + n.address, CA: n.authority.pem(), TokenFile: file})
		if err != nil {
			n.Fatal(err)
		}
		clients = append(clients, client)
	}
	return clients
}

// newIssuer returns an issuer that knows nothing yet of tokens.
func (n *node) newIssuer() *Server {
	issuer := busyServer(n.B, ordersAddress)
	issuer.AnyAddress, issuer.Directory.Source = true, n.crowd
	return issuer
}

// start starts the issuer with a new key, as each does.
func (n *node) start() {
	n.Helper()
	certificate, err := n.authority.issue()
	if err != nil {
		n.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	n.end, n.ended = end, make(chan error, 1)
	issuer := n.newIssuer()
	issuer.Stopping = ctx.Done()
	serving := server.New(n.address, issuer.Handler(), func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil },
		time.Minute, server.WithBounds(server.NodeBounds.WithoutSources()), server.HTTP1Only())
	go func() { n.ended <- serving.Start(ctx) }()
}

func (n *node) stop() {
	n.end()
	<-n.ended
	for len(n.crowd.looked) > 0 {
		<-n.crowd.looked
	}
}

// awaitAll waits until each sidecar was served once more.
func (n *node) awaitAll() {
	n.Helper()
	deadline := time.After(2 * time.Minute)
	for served := map[string]bool{}; len(served) < heldPods; {
		select {
		case uid := <-n.crowd.looked:
			served[uid] = true
		case <-deadline:
			n.Fatalf("%d of %d sidecars are served", len(served), heldPods)
		}
	}
}

// authority signs the certificates of issuers.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(b *testing.B) authority {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(encoded)
	if err != nil {
		b.Fatal(err)
	}
	return authority{certificate, key}
}

func (a authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))
}

func (a authority) issue() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	return &tls.Certificate{Certificate: [][]byte{encoded}, PrivateKey: key}, err
}
