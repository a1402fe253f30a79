package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestIsOlder(t *testing.T) {
	t.Parallel()
	made := func(name string, second int64) *v1alpha1.ManagedIdentity {
		return &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{
			Name: name, CreationTimestamp: metav1.NewTime(time.Unix(second, 0)),
		}}
	}
	for _, test := range []struct {
		name string
		a, b *v1alpha1.ManagedIdentity
		want bool
	}{
		{"made before", made("z", 1), made("a", 2), true},
		{"made after", made("a", 2), made("z", 1), false},
		{"made in the same second, the name comes before", made("a", 1), made("z", 1), true},
		{"made in the same second, the name comes after", made("z", 1), made("a", 1), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := isOlder(test.a, test.b); got != test.want {
				t.Errorf("isOlder: %v, want %v", got, test.want)
			}
		})
	}
}
