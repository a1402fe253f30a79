package issuer

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
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
	"github.com/kube-imds/kube-imds/internal/testing/bound"
)

// BenchmarkCachedToken measures a request for a cached token, without the network: authentication, grant, answer and audit.
func BenchmarkCachedToken(b *testing.B) {
	signed := boundToken(ordersPod()).Sign(b)
	keys := workload.NewKeys(bound.Source{}, logr.Discard())
	if err := keys.Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	minter := mint.NewCache(&countingMinter{life: time.Hour}, time.Now)
	server := &Server{
		NodeName:      "node-1",
		Authenticator: workload.NewAuthenticator(keys, issuerapi.Audience, time.Now).Within(issuerapi.TokenSeconds * time.Second),
		Directory:     &directory.Directory{Source: inMemory{newWorld()}, Changes: directory.NewChanges()},
		Minters:       mint.Minters{v1alpha1.TokenSourceLocal: minter},
		Limits:        NewLimits(PodLimits{RequestsPerSecond: 1e9, Burst: 1e9, Concurrent: 1e6}, time.Now),
		Log:           discardedLog(), Now: time.Now,
	}
	handler := server.Handler()
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequest(http.MethodPost, issuerapi.TokenPath, strings.NewReader(`{"resource":"https://vault.azure.net"}`))
		request.RemoteAddr = ordersAddress + ":1024"
		request.Header.Set("Authorization", "Bearer "+signed)
		recorder := httptest.NewRecorder()
		if handler.ServeHTTP(recorder, request); recorder.Code != http.StatusOK {
			b.Fatal(recorder.Code, recorder.Body)
		}
	}
}

// discardedLog is a log that encodes its lines as the real one does, and writes them nowhere.
func discardedLog() logr.Logger {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zapr.NewLogger(zap.New(zapcore.NewCore(encoder, zapcore.AddSync(nowhere{}), zapcore.InfoLevel)))
}

type nowhere struct{}

func (nowhere) Write(line []byte) (int, error) { return len(line), nil }

// inMemory looks a world up as the issuer's watches do.
type inMemory struct{ *world }

func (m inMemory) Pod(context.Context, string) (*corev1.Pod, error)   { return m.pod, nil }
func (m inMemory) Node(context.Context, string) (*corev1.Node, error) { return m.node, nil }

func (m inMemory) ServiceAccount(context.Context, string, string) (*metav1.PartialObjectMetadata, error) {
	return &metav1.PartialObjectMetadata{ObjectMeta: m.account.ObjectMeta}, nil
}

func (m inMemory) Namespace(context.Context, string) (*metav1.PartialObjectMetadata, error) {
	return &metav1.PartialObjectMetadata{ObjectMeta: m.namespace.ObjectMeta}, nil
}

func (m inMemory) Identity(context.Context, string) (*v1alpha1.ManagedIdentity, error) {
	return m.identities[0], nil
}

func (m inMemory) Bindings(context.Context, string) ([]v1alpha1.IdentityBinding, error) {
	return []v1alpha1.IdentityBinding{*m.bindings[0]}, nil
}

func (inMemory) LoadBalancers(context.Context, string) ([]corev1.Service, error) { return nil, nil }
