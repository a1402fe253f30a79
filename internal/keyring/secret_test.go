package keyring

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestStoreRemovesOrdersThatWereCarriedOut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rotated bool
		want    []string
	}{
		"rotation is pending": {false, []string{"example.com/other", RotateAnnotation}},
		"rotated":             {true, []string{"example.com/other"}},
	} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			RotateAnnotation: "", RevokeAnnotation: "a, current,", "example.com/other": "",
		}}}
		if diff := cmp.Diff(Orders{Rotate: true, Revoke: []string{"a", CurrentKey}}, OrdersOf(secret)); diff != "" {
			t.Errorf("orders (-want +got):\n%s", diff)
		}
		ring := Ring{Generation: 3}
		if err := ring.Store(secret, test.rotated); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, slices.Sorted(maps.Keys(secret.Annotations))); diff != "" {
			t.Errorf("%s: annotations (-want +got):\n%s", name, diff)
		}
		if stored, err := Parse(secret.Data[SecretKey]); err != nil || stored.Generation != ring.Generation {
			t.Errorf("%s: stored ring = %+v, error %v", name, stored, err)
		}
	}
}
