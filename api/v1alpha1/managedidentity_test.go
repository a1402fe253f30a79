package v1alpha1

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestIsOlderThan(t *testing.T) {
	t.Parallel()
	made := func(name string, second int64) *ManagedIdentity {
		return &ManagedIdentity{ObjectMeta: metav1.ObjectMeta{
			Name: name, CreationTimestamp: metav1.NewTime(time.Unix(second, 0)),
		}}
	}
	for _, test := range []struct {
		name string
		a, b *ManagedIdentity
		want bool
	}{
		{"made before", made("z", 1), made("a", 2), true},
		{"made after", made("a", 2), made("z", 1), false},
		{"made in the same second, name sorts before", made("a", 1), made("z", 1), true},
		{"made in the same second, name sorts after", made("z", 1), made("a", 1), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.a.IsOlderThan(test.b); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
