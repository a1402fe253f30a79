package workload

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

func TestHoldsToken(t *testing.T) {
	t.Parallel()
	ofAudience := func(audience string) corev1.Volume {
		volume := build.IssuerToken()
		volume.Projected.Sources[0].ServiceAccountToken.Audience = audience
		return volume
	}
	for name, test := range map[string]struct {
		volumes []corev1.Volume
		want    bool
	}{
		"no volume":        {nil, false},
		"another volume":   {[]corev1.Volume{{Name: "kube-imds-token"}}, false},
		"another audience": {[]corev1.Volume{ofAudience("")}, false},
		"token":            {[]corev1.Volume{{}, ofAudience(issuerapi.Audience)}, true},
		"token among other sources": {[]corev1.Volume{{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{}, build.IssuerToken().Projected.Sources[0]},
		}}}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := &corev1.Pod{Spec: corev1.PodSpec{Volumes: test.volumes}}
			if got := HoldsToken(pod, issuerapi.Audience); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
