package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/testing/address"
)

// BenchmarkAdmission measures the whole answer to the API server, without the network.
func BenchmarkAdmission(b *testing.B) {
	for name, review := range reviews(b) {
		b.Run(name, func(b *testing.B) {
			server, path := newServer(b, 0)
			handler := server.handler()
			b.SetBytes(int64(len(review)))
			b.ReportAllocs()
			for b.Loop() {
				request := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(review))
				request.Header.Set("Content-Type", "application/json")
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, request)
				if !isAllowed(recorder.Code, recorder.Body.Bytes()) {
					b.Fatal(recorder.Code, recorder.Body)
				}
			}
		})
	}
}

// BenchmarkAdmissionTLS measures it over loopback, with the medians and the 99th percentiles: one after the other, in bursts of 50 as when a
// Deployment is scaled, and 50 all the time. A bare handler that reads minimal reviews and answers as much shows what of that is the network's
// and the machine's.
func BenchmarkAdmissionTLS(b *testing.B) {
	for _, load := range []struct {
		name string
		senders
	}{
		{"single", senders{Together: 1}}, {"bursts-of-50", senders{Together: 50, Burst: true}}, {"always-50", senders{Together: 50}},
	} {
		for name, review := range reviews(b) {
			b.Run(load.name+"/"+name, func(b *testing.B) {
				server, path := newServer(b, freePort(b))
				load.Path, load.Review = path, review
				measure(b, server, load.senders)
			})
		}
		b.Run(load.name+"/bare", func(b *testing.B) {
			server, path := newBareServer(b, freePort(b))
			load.Path, load.Review = path, reviews(b)["minimal"]
			measure(b, server, load.senders)
		})
	}
}

// measure starts a server, and has b.N reviews sent to it.
func measure(b *testing.B, server *Server, all senders) {
	b.Helper()
	all.Address = server.address
	start(b, server)
	all.Count = int64(b.N)
	before := processorTime(b)
	b.ReportAllocs()
	b.ResetTimer()
	times := all.send(b)
	b.StopTimer()
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(times.Median.Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times.Percentile99.Microseconds())/1000, "p99-ms")
}

// processorTime returns what the process has used, which differs less between runs on a busy machine than time does.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func reviews(b *testing.B) map[string][]byte {
	return map[string][]byte{"minimal": reviewOf(b, newPod("orders")), "small": reviewOfSmallPod(b), "large": reviewOfLargePod(b)}
}

// newServer returns a webhook like the controller's, and the path that the API server calls for pods.
func newServer(b *testing.B, port int) (*Server, string) {
	b.Helper()
	server, path, reader := newEmptyServer(b, port)
	m := newMutator(b)
	m.lookup.cached, m.log = reader, discardedLog()
	m.options.CABundle = func(ctx context.Context) []byte {
		var secret corev1.Secret
		if err := reader.Get(ctx, ownSecret, &secret, onlyRead); err != nil {
			b.Error(err)
		}
		return secret.Data["bundle"]
	}
	server.Register(capability.Route(podWebhook), m)
	return server, path
}

// newBareServer returns a server that answers pods' reviews without looking at them.
func newBareServer(b *testing.B, port int) (*Server, string) {
	b.Helper()
	answer := fmt.Appendf(nil, `{"allowed":true,"patch":%q}`, strings.Repeat("A", 6<<10))
	server, path, _ := newEmptyServer(b, port)
	server.Register(capability.Route(podWebhook), http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			b.Error(err)
		}
		_, _ = writer.Write(answer)
	}))
	return server, path
}

// newEmptyServer returns a server without a handler for its path for pods, and the controller's cache.
func newEmptyServer(b *testing.B, port int) (*Server, string, client.Reader) {
	b.Helper()
	objects, capabilities := cluster()
	reader := cached(b, objects)
	certificate := certificateOf()
	server := NewServer(port, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil },
		capability.Store{Client: onlyReading{Reader: reader}, Key: ownSecret}.Good)
	return server, capabilities.Path(podWebhook), reader
}

// onlyReading is a client whose other methods are not called.
type onlyReading struct {
	client.Reader
	client.Client
}

func (r onlyReading) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	return r.Reader.Get(ctx, key, object, options...)
}

func (r onlyReading) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return r.Reader.List(ctx, list, options...)
}

// certificateOf returns the certificate that net/http/httptest has for its servers.
func certificateOf() *tls.Certificate {
	https := httptest.NewTLSServer(http.NotFoundHandler())
	defer https.Close()
	return &https.TLS.Certificates[0]
}

// discardedLog is a log that encodes its lines as the real one does, and writes them nowhere.
func discardedLog() logr.Logger {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zapr.NewLogger(zap.New(zapcore.NewCore(encoder, zapcore.AddSync(io.Discard), zapcore.InfoLevel)))
}

func freePort(b *testing.B) int {
	b.Helper()
	free, err := address.Free(1)
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := netip.ParseAddrPort(free[0])
	if err != nil {
		b.Fatal(err)
	}
	return int(parsed.Port())
}

// start starts a webhook, and waits until it listens.
func start(b *testing.B, server *Server) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	deadline, stop := context.WithTimeout(b.Context(), 10*time.Second)
	defer stop()
	listens, probe := server.StartedChecker(), httptest.NewRequestWithContext(deadline, http.MethodGet, "/readyz", nil)
	for err := listens(probe); err != nil; err = listens(probe) {
		if deadline.Err() != nil {
			b.Fatal(err)
		}
	}
}

func isAllowed(code int, answer []byte) bool {
	return code == http.StatusOK && bytes.Contains(answer, []byte(`"allowed":true`))
}
