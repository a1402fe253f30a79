package issuer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/server"
	"github.com/kube-imds/kube-imds/internal/testing/address"
	"github.com/kube-imds/kube-imds/internal/testing/bound"
)

// BenchmarkCachedToken measures a request for a cached token, without the network: authentication, grant, answer and audit.
func BenchmarkCachedToken(b *testing.B) {
	handler, signed := busyServer(b, ordersAddress).Handler(), boundToken(ordersPod()).Sign(b)
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequest(http.MethodPost, issuerapi.TokenPath, strings.NewReader(askVault))
		request.RemoteAddr = ordersAddress + ":1024"
		request.Header.Set("Authorization", "Bearer "+signed)
		recorder := httptest.NewRecorder()
		if handler.ServeHTTP(recorder, request); recorder.Code != http.StatusOK {
			b.Fatal(recorder.Code, recorder.Body)
		}
	}
}

// BenchmarkCachedTokenOverTLS measures a request for a cached token over a kept connection with the issuer's own HTTPS server, and
// beside it a handler that does nothing but give the same answer. The client allocates nothing and costs both the same.
func BenchmarkCachedTokenOverTLS(b *testing.B) {
	signed := boundToken(ordersPod()).Sign(b)
	handler := busyServer(b, "127.0.0.1").Handler()
	recorder := httptest.NewRecorder()
	recorded := httptest.NewRequest(http.MethodPost, issuerapi.TokenPath, strings.NewReader(askVault))
	recorded.RemoteAddr = "127.0.0.1:1024"
	recorded.Header.Set("Authorization", "Bearer "+signed)
	if handler.ServeHTTP(recorder, recorded); recorder.Code != http.StatusOK {
		b.Fatal(recorder.Code, recorder.Body)
	}
	same := http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		writer.Header().Set("Content-Type", "application/json")
		writer.Header().Set("Cache-Control", "no-store")
		_, _ = writer.Write(recorder.Body.Bytes())
	})
	for _, served := range []struct {
		name    string
		handler http.Handler
	}{{"issuer", handler}, {"bare", same}} {
		b.Run(served.name, func(b *testing.B) {
			kept := connect(b, served.handler, signed)
			before := processorTime(b)
			b.ReportAllocs()
			for b.Loop() {
				kept.ask()
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// busyServer returns a server of node-1 whose limits do not matter, with the world's pod at an address.
func busyServer(b *testing.B, address string) *Server {
	b.Helper()
	keys := workload.NewKeys(bound.Source{}, logr.Discard())
	if err := keys.Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	seen := newWorld(withPod(func(pod *corev1.Pod) { pod.Status.PodIPs = []corev1.PodIP{{IP: address}} }))
	minter := mint.NewCache(&countingMinter{life: time.Hour}, time.Now)
	// Every answer writes its line.
	before := podLines
	podLines = lineBound{1e9, 1e9}
	b.Cleanup(func() { podLines = before })
	return &Server{
		NodeName:      "node-1",
		Authenticator: workload.NewAuthenticator(keys, issuerapi.Audience, time.Now).Within(issuerapi.TokenSeconds * time.Second),
		Directory:     &directory.Directory{Source: inMemoryOf(seen), Changes: directory.NewChanges()},
		Minters:       mint.Minters{v1alpha1.TokenSourceLocal: minter},
		Revocations:   func() int64 { return 0 },
		Limits:        NewLimits(PodLimits{RequestsPerSecond: 1e9, Burst: 1e9, Concurrent: 1e6}, time.Now),
		Log:           discardedLog(), Now: time.Now,
	}
}

// kept is a connection that sends the same request again and again.
type kept struct {
	*testing.B
	connection *tls.Conn
	reader     *bufio.Reader
	request    []byte
}

// connect serves a handler as the issuer does, and connects to it.
func connect(b *testing.B, handler http.Handler, bearer string) *kept {
	b.Helper()
	free, err := address.Free(1)
	if err != nil {
		b.Fatal(err)
	}
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	certificate := pair.TLS.Certificates[0]
	pair.Close()
	serving := server.New(free[0], handler, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil },
		time.Minute, server.WithBounds(server.NodeBounds), server.HTTP1Only())
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- serving.Start(ctx) }()
	connection := dial(b, free[0])
	b.Cleanup(func() {
		_ = connection.Close()
		stop()
		<-ended
	})
	return &kept{b, connection, bufio.NewReader(connection), fmt.Appendf(nil,
		"POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %d\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n%s", issuerapi.TokenPath, free[0], len(askVault), bearer, askVault)}
}

// dial connects as soon as something listens.
func dial(b *testing.B, address string) *tls.Conn {
	b.Helper()
	for start := time.Now(); time.Since(start) < 10*time.Second; time.Sleep(time.Millisecond) {
		connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err == nil {
			return connection
		}
	}
	b.Fatal("the server does not listen")
	return nil
}

// ask sends the request and reads the answer.
func (k *kept) ask() {
	if _, err := k.connection.Write(k.request); err != nil {
		k.Fatal(err)
	}
	length := 0
	for first := true; ; first = false {
		line, err := k.reader.ReadSlice('\n')
		if err != nil || first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			k.Fatalf("%q, %v", line, err)
		}
		if len(line) == len("\r\n") {
			break
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			for _, digit := range bytes.TrimSpace(value) {
				length = 10*length + int(digit-'0')
			}
		}
	}
	if discarded, err := k.reader.Discard(length); err != nil || discarded == 0 {
		k.Fatal("the answer has no body: ", err)
	}
}

// processorTime returns the processor time that this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// discardedLog is a log that encodes its lines as the real one does, and writes them nowhere.
func discardedLog() logr.Logger {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zapr.NewLogger(zap.New(zapcore.NewCore(encoder, zapcore.AddSync(nowhere{}), zapcore.InfoLevel)))
}

type nowhere struct{}

func (nowhere) Write(line []byte) (int, error) { return len(line), nil }

// inMemory looks a world up as the issuer's watches do.
type inMemory struct {
	*world
	accountMetadata, namespaceMetadata *metav1.PartialObjectMetadata
	boundTo                            []v1alpha1.IdentityBinding
}

func inMemoryOf(seen *world) inMemory {
	return inMemory{
		seen, &metav1.PartialObjectMetadata{ObjectMeta: seen.account.ObjectMeta},
		&metav1.PartialObjectMetadata{ObjectMeta: seen.namespace.ObjectMeta}, []v1alpha1.IdentityBinding{*seen.bindings[0]},
	}
}

func (m inMemory) Pod(context.Context, string) (*corev1.Pod, error)   { return m.pod, nil }
func (m inMemory) Node(context.Context, string) (*corev1.Node, error) { return m.node, nil }

func (m inMemory) ServiceAccount(context.Context, string, string) (*metav1.PartialObjectMetadata, error) {
	return m.accountMetadata, nil
}

func (m inMemory) Namespace(context.Context, string) (*metav1.PartialObjectMetadata, error) {
	return m.namespaceMetadata, nil
}

func (m inMemory) Identity(context.Context, string) (*v1alpha1.ManagedIdentity, error) {
	return m.identities[0], nil
}

func (m inMemory) Bindings(context.Context, string) ([]v1alpha1.IdentityBinding, error) {
	return m.boundTo, nil
}

func (inMemory) LoadBalancers(context.Context, string) ([]corev1.Service, error) { return nil, nil }
