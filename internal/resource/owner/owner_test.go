package owner

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestNameBelongsToTheOldest(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	account := func(namespace, name string, age time.Duration) v1alpha1.StorageAccount {
		return v1alpha1.StorageAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-age))}}
	}
	all := []v1alpha1.StorageAccount{
		account("shop", "orders", time.Minute), account("bank", "orders", time.Hour), account("aunt", "orders", time.Minute),
		account("old", "bills", 24*time.Hour), account("zoo", "twins", time.Hour), account("ark", "twins", time.Hour),
	}
	for name, want := range map[string]string{"orders": "bank", "bills": "old", "twins": "ark"} {
		if got := Of(name, all); got == nil || got.Namespace != want {
			t.Errorf("%s belongs to %+v, want namespace %s", name, got, want)
		}
	}
	if got := Of("nobody", all); got != nil {
		t.Errorf("a name without an object belongs to %s", got.Namespace)
	}
}
