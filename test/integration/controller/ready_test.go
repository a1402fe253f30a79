package controller

import (
	"context"
	"net/http"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// A ready controller can be called through the chart's Services, and has not logged its key.
func TestReadyControllerCanBeCalled(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/readyz", "/healthz"} {
		if got := s.controller.status(path); got != http.StatusOK {
			t.Errorf("%s: %d", path, got)
		}
	}
	if strings.Contains(s.controller.log(), "PRIVATE KEY") {
		t.Error("there is a private key in the log")
	}
}

// Removing the webhooks' configurations takes no replica out of the Services. The test is not parallel, because it removes objects that
// others need.
func TestControllerStaysReadyWithoutItsWebhooks(t *testing.T) {
	s := start(t)
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}}
	s.eventually(t, configuration, func() string { return "" })
	kept := configuration.DeepCopy()
	if err := s.Delete(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kept.ObjectMeta = metav1.ObjectMeta{Name: kept.Name, Labels: kept.Labels}
		if err := s.Create(context.WithoutCancel(t.Context()), kept); err != nil {
			t.Error(err)
		}
	})
	// The controller's watches report both, this one later.
	identity := build.NewIdentity("while-webhooks-are-away").ManagedIdentity
	s.create(t, identity)
	s.eventuallyResolved(t, identity)
	if got := s.controller.status("/readyz"); got != http.StatusOK {
		t.Errorf("readyz: %d", got)
	}
}
