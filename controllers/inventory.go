package controllers

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

var (
	identitiesMetric = prometheus.NewDesc("kube_imds_controller_managed_identities",
		"ManagedIdentities, by whether they are ready.", []string{"ready"}, nil)
	bindingsMetric = prometheus.NewDesc("kube_imds_controller_identity_bindings",
		"IdentityBindings, by whether they are ready.", []string{"ready"}, nil)
)

// Inventory is a collector that counts the objects of kube-imds. It reads from caches, and counts nothing until they are
// filled.
type Inventory struct {
	Reader client.Reader
}

// Describe implements prometheus.Collector.
func (i *Inventory) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- identitiesMetric
	descriptions <- bindingsMetric
}

// Collect implements prometheus.Collector.
func (i *Inventory) Collect(counts chan<- prometheus.Metric) {
	ctx := context.Background()
	var identities v1alpha1.ManagedIdentityList
	if err := i.Reader.List(ctx, &identities, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.Log.WithName("metrics").Error(err, "list the identities")
	} else {
		tally(counts, identitiesMetric, identities.Items, v1alpha1.ConditionReady,
			func(identity *v1alpha1.ManagedIdentity) []metav1.Condition { return identity.Status.Conditions })
	}
	var bindings v1alpha1.IdentityBindingList
	if err := i.Reader.List(ctx, &bindings, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.Log.WithName("metrics").Error(err, "list the bindings")
	} else {
		tally(counts, bindingsMetric, bindings.Items, v1alpha1.ConditionReady,
			func(binding *v1alpha1.IdentityBinding) []metav1.Condition { return binding.Status.Conditions })
	}
}

// tally counts the objects with and without the condition.
func tally[T any](counts chan<- prometheus.Metric, metric *prometheus.Desc, objects []T, condition string, conditionsOf func(*T) []metav1.Condition) {
	found := map[bool]int{true: 0, false: 0}
	for i := range objects {
		found[apimeta.IsStatusConditionTrue(conditionsOf(&objects[i]), condition)]++
	}
	for has, count := range found {
		counts <- prometheus.MustNewConstMetric(metric, prometheus.GaugeValue, float64(count), strconv.FormatBool(has))
	}
}
