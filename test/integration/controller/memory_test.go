package controller

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A namespace's editor can create ServiceAccounts of a megabyte each. Caches drop the parts that decide nothing.
func TestHugeServiceAccountsAreNotCached(t *testing.T) {
	s := start(t)
	const count = 180
	labels := map[string]string{}
	for i := range 2000 {
		labels[fmt.Sprintf("%s/%04d", strings.Repeat("l.", 100)+"example", i)] = strings.Repeat("v", 63)
	}
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "hoard-"}}
	s.create(t, home)
	t.Cleanup(func() {
		if err := s.DeleteAllOf(context.WithoutCancel(t.Context()), &corev1.ServiceAccount{}, client.InNamespace(home.Name)); err != nil {
			t.Error(err)
		}
	})
	makers := errgroup.Group{}
	makers.SetLimit(4)
	for i := range count {
		makers.Go(func() error {
			return s.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
				Namespace: home.Name, Name: fmt.Sprint("huge-", i), Labels: labels,
				Annotations: map[string]string{"other": strings.Repeat("a", 250<<10)},
			}})
		})
	}
	if err := makers.Wait(); err != nil {
		t.Fatal(err)
	}
	replica, err := s.newReplica("hoarding")
	if err != nil {
		t.Fatal(err)
	}
	if err := replica.start(); err != nil {
		t.Fatal(err)
	}
	// A replica lists ServiceAccounts at its first request, and answers after it has all.
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}}
	s.eventually(t, configuration, func() string { return "" })
	body := reviewBody(t, "somebody", home.Name, &corev1.Pod{Spec: corev1.PodSpec{ServiceAccountName: "huge-0"}})
	path := *configuration.Webhooks[0].ClientConfig.Service.Path
	got, err := send(t, replica.webhook, s.authorities(t), http.MethodPost, webhookURL+path, body)
	if err != nil || !bytes.Contains(got.body, []byte(`"allowed":true`)) {
		t.Fatalf("got %d %s, error %v", got.status, got.body, err)
	}
	peak := replica.peakMemory(t)
	t.Logf("%d MiB at most, beside %d ServiceAccounts of a megabyte", peak>>20, count)
	if peak > memoryLimit {
		t.Errorf("used %d MiB, the limit is %d MiB", peak>>20, memoryLimit>>20)
	}
	if err := replica.stop(); err != nil {
		t.Error(err)
	}
}
