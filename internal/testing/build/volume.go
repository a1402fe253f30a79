package build

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// IssuerToken returns the volume with the token for the issuer.
func IssuerToken() corev1.Volume {
	token := corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: issuerapi.Audience, Path: "token"}}
	return corev1.Volume{Name: "kube-imds-token", VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{token}},
	}}
}
