package signer

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/token"
)

// BenchmarkToken measures composing and signing a token.
func BenchmarkToken(b *testing.B) {
	key := signingKey(b)
	request := token.Request{
		Identity: build.NewIdentity("orders").Ready().ManagedIdentity, Resource: vault, Machine: "/the/machine",
		Workload: &token.Workload{Namespace: "shop"},
	}
	issuers := token.Issuers{BaseURL: "https://oidc.test"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := token.New(b.Context(), key, issuers, request, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRequest measures a whole request, with both of its tokens verified.
func BenchmarkRequest(b *testing.B) {
	s := makeStage(b)
	s.Limits, s.Server.Log = NewNodeLimits(1e9, 1e9), logr.Discard()
	request := asking("orders-0", "orders")
	request.Token = tokenOf("orders-0", "orders", "node-1").Sign(b)
	body, err := json.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	bearer, handler := issuerOf("node-1").Sign(b), s.Handler()
	b.ReportAllocs()
	b.RunParallel(func(work *testing.PB) {
		for work.Next() {
			asked := httptest.NewRequest(http.MethodPost, signerapi.TokenPath, bytes.NewReader(body))
			asked.Header.Set("Authorization", "Bearer "+bearer)
			recorder := httptest.NewRecorder()
			if handler.ServeHTTP(recorder, asked); recorder.Code != http.StatusOK {
				b.Fatal(recorder.Body)
			}
		}
	})
}
