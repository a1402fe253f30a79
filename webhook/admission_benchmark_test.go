package webhook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	admissionv1 "k8s.io/api/admission/v1"
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
				times := make([][]time.Duration, together)
				var senders sync.WaitGroup
				todo := make(chan struct{}, together)
				var connections []*connection
				for range together {
					connections = append(connections, dial(b, port, path, review))
				}
				before := processorTime(b)
				b.ResetTimer()
				for i, sender := range connections {
					senders.Go(func() {
						for range todo {
							start := time.Now()
							if err := sender.ask(); err != nil {
								b.Error(err)
							}
							times[i] = append(times[i], time.Since(start))
						}
					})
				}
				for range b.N {
					todo <- struct{}{}
				}
				close(todo)
				senders.Wait()
				b.StopTimer()
				b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
				all := slices.Concat(times...)
				slices.Sort(all)
				b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
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
	_, text, _ := net.SplitHostPort(free[0])
	port, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
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
	return port, path
}

// connection sends one review again and again, with as little work as possible: the machine's processors are to be the webhook's.
type connection struct {
	*tls.Conn
	answers *bufio.Reader
	request []byte
}

// dial connects to a webhook, as soon as it listens, and has it answer once.
func dial(b *testing.B, port int, path string, review []byte) *connection {
	b.Helper()
	request := fmt.Appendf(nil, "POST %s?timeout=10s HTTP/1.1\r\nHost: kube-imds-webhook.kube-imds-system.svc\r\nContent-Type: application/json\r\n"+
		"Accept: application/json, */*\r\nUser-Agent: kube-apiserver-admission\r\nContent-Length: %d\r\n\r\n%s", path, len(review), review)
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	for {
		made, err := dialer.DialContext(ctx, "tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			b.Cleanup(func() { _ = made.Close() })
			secure, _ := made.(*tls.Conn)
			dialed := &connection{secure, bufio.NewReader(made), request}
			code, answer, err := dialed.send()
			if err != nil {
				b.Fatal(err)
			}
			checkInjected(b, code, answer)
			return dialed
		}
		if ctx.Err() != nil {
			b.Fatal(err)
		}
	}
}

func (c *connection) ask() error {
	code, answer, err := c.send()
	if err != nil {
		return err
	}
	if !isAllowed(code, answer) {
		return fmt.Errorf("got %d %s", code, answer)
	}
	return nil
}

func (c *connection) send() (code int, answer []byte, err error) {
	if _, err := c.Write(c.request); err != nil {
		return 0, nil, err
	}
	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

func isAllowed(code int, answer []byte) bool {
	return code == http.StatusOK && bytes.Contains(answer, []byte(`"allowed":true`))
}

// checkInjected checks that the pod was injected.
func checkInjected(b *testing.B, code int, answer []byte) {
	b.Helper()
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer, &review); err != nil || code != http.StatusOK {
		b.Fatal(code, err, string(answer))
	}
	if !review.Response.Allowed || !bytes.Contains(review.Response.Patch, []byte(netInitName)) {
		b.Fatal(string(answer))
	}
}
