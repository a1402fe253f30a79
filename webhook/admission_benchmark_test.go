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

// BenchmarkAdmissionTLS measures it over loopback, one after the other and 50 at once, with the medians and the 99th percentiles.
func BenchmarkAdmissionTLS(b *testing.B) {
	for name, review := range reviews(b) {
		for _, together := range []int{1, 50} {
			b.Run(fmt.Sprint(name, "/", together, "-at-once"), func(b *testing.B) {
				port, path := listening(b)
				before := processorTime(b)
				b.ReportAllocs()
				b.ResetTimer()
				times := senders{Port: port, Path: path, Together: together, Count: int64(b.N), Review: review}.send(b)
				b.StopTimer()
				b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
				b.ReportMetric(float64(times.Median.Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(times.Percentile99.Microseconds())/1000, "p99-ms")
			})
		}
	}
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
	return map[string][]byte{"small": reviewOfSmallPod(b), "large": reviewOfLargePod(b)}
}

// newServer returns a webhook like the controller's, and the path that the API server calls for pods.
func newServer(b *testing.B, port int) (*Server, string) {
	b.Helper()
	objects, capabilities := cluster()
	reader := cached(b, objects)
	m := newMutator(b)
	m.lookup.cached, m.log = reader, discardedLog()
	own := func(ctx context.Context) map[string][]byte {
		var secret corev1.Secret
		if err := reader.Get(ctx, ownSecret, &secret, onlyRead); err != nil {
			b.Error(err)
		}
		return secret.Data
	}
	m.options.CABundle = func(ctx context.Context) []byte { return own(ctx)["bundle"] }
	certificate := certificateOf()
	server := NewServer(port, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil },
		capability.Store{Client: onlyReading{Reader: reader}, Key: ownSecret}.Good)
	server.Register(capability.Route(podWebhook), m)
	return server, capabilities.Path(podWebhook)
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

// listening starts a webhook, and returns its port and path.
func listening(b *testing.B) (int, string) {
	b.Helper()
	free, err := address.Free(1)
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := netip.ParseAddrPort(free[0])
	if err != nil {
		b.Fatal(err)
	}
	port := int(parsed.Port())
	server, path := newServer(b, port)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	listens := server.StartedChecker()
	deadline, stop := context.WithTimeout(b.Context(), 10*time.Second)
	defer stop()
	probe := httptest.NewRequestWithContext(deadline, http.MethodGet, "/readyz", nil)
	for err := listens(probe); err != nil; err = listens(probe) {
		if deadline.Err() != nil {
			b.Fatal(err)
		}
	}
	return port, path
}

func isAllowed(code int, answer []byte) bool {
	return code == http.StatusOK && bytes.Contains(answer, []byte(`"allowed":true`))
}
