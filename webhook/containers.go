package webhook

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
)

// The names of what is added to a pod.
const (
	netInitName     = "kube-imds-net-init"
	sidecarName     = install.SidecarName
	tokenVolumeName = "kube-imds-token"
)

// ownSubcommands identify our containers by their first argument.
var ownSubcommands = map[string]string{netInitName: settings.NetInit, sidecarName: settings.Serve}

// startup bounds the sidecar's startup, for which the pod's own containers wait.
const startup = 2 * time.Minute

// netInit returns the container that adds the address and redirects it to the sidecar. It gets NET_ADMIN by a file
// capability of its binary (docs/design/net-admin-without-root.md).
func (p ownParts) netInit() corev1.Container {
	arguments := []string{ownSubcommands[netInitName]}
	if p.options.Interception == Redirect {
		arguments = append(arguments, fmt.Sprintf("--%s=%d", settings.RedirectTo, p.port))
	}
	return corev1.Container{
		Name:                     netInitName,
		Image:                    p.options.SidecarImage,
		ImagePullPolicy:          p.options.ImagePullPolicy,
		Args:                     arguments,
		Resources:                p.options.NetInitResources,
		SecurityContext:          install.Restricted("NET_ADMIN"),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
}

// sidecar returns the container that serves IMDS. Its hook holds back the containers after it until IMDS answers: a startup probe would be
// looked at once a second (docs/design/pod-start.md). It is a command, because nothing outside the pod can ask.
func (p ownParts) sidecar() corev1.Container {
	address := fmt.Sprintf("127.0.0.1:%d", p.port)
	if p.options.Interception == Address {
		address = fmt.Sprintf("%s:%d", imdsAddress, imdsPort)
	}
	variables, mounts := p.assertionParts()
	trustVariables, trustMounts := p.trustParts()
	variables, mounts = append(variables, trustVariables...), append(mounts, trustMounts...)
	return corev1.Container{
		Name:            sidecarName,
		Image:           p.options.SidecarImage,
		ImagePullPolicy: p.options.ImagePullPolicy,
		Args:            []string{ownSubcommands[sidecarName], "--" + settings.Listen + "=" + address},
		RestartPolicy:   new(corev1.ContainerRestartPolicyAlways),
		Resources:       p.options.SidecarResources,
		SecurityContext: install.Restricted(),
		Env:             append(p.sidecarVariables(), variables...),
		VolumeMounts:    append([]corev1.VolumeMount{{Name: tokenVolumeName, MountPath: settings.TokenFolder, ReadOnly: true}}, mounts...),
		Lifecycle: &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{
			Command: []string{settings.Program, settings.Ready, "--" + settings.Wait + "=" + startup.String()},
		}}},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
}

// sidecarVariables returns the sidecar's settings, without defaults.
func (p ownParts) sidecarVariables() []corev1.EnvVar {
	variables := []corev1.EnvVar{
		{Name: settings.IssuerURL, Value: p.options.IssuerURL},
		{Name: settings.IssuerCA, Value: p.authorities},
		{Name: settings.IssuerCAFile, Value: settings.TokenFolder + "/" + cabundle.Key},
		{Name: settings.TokenFile, Value: settings.TokenFolder + "/" + settings.Token},
		fieldVariable(settings.PodName, "metadata.name"),
		fieldVariable(settings.PodNamespace, "metadata.namespace"),
		fieldVariable(settings.PodIPs, "status.podIPs"),
		fieldVariable(settings.NodeName, "spec.nodeName"),
	}
	if level := p.options.SidecarLogLevel; level != "" && level != "info" {
		variables = append(variables, corev1.EnvVar{Name: settings.LogLevel, Value: level})
	}
	if p.audiences[0] != "" {
		variables = append(variables, corev1.EnvVar{Name: settings.AssertionsFolder, Value: settings.TokenFolder + "/" + settings.Assertions})
	}
	if p.options.AzureLimits {
		variables = append(variables, corev1.EnvVar{Name: settings.Limits, Value: settings.LimitsAzure})
	}
	return variables
}

// tokenVolume returns the volume with the ServiceAccount token for the issuer, and the authorities of the issuer's
// certificate. Those are optional: a pod starts with the ones in its environment.
func (p ownParts) tokenVolume() corev1.Volume {
	volume := corev1.Volume{
		Name: tokenVolumeName,
		VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			DefaultMode: new(int32(0o644)),
			Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
					Audience: issuerapi.Audience, ExpirationSeconds: new(int64(issuerapi.TokenSeconds)), Path: settings.Token,
				}},
				{ConfigMap: &corev1.ConfigMapProjection{
					LocalObjectReference: corev1.LocalObjectReference{Name: p.options.TrustName},
					Items:                []corev1.KeyToPath{{Key: cabundle.Key, Path: cabundle.Key}},
					Optional:             new(true),
				}},
			},
		}},
	}
	for n, audience := range p.audiences {
		if audience == "" {
			break
		}
		volume.Projected.Sources = append(volume.Projected.Sources, corev1.VolumeProjection{
			ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience: audience, ExpirationSeconds: new(int64(assertionSeconds)), Path: fmt.Sprintf("%s/%d", settings.Assertions, n),
			}})
	}
	return volume
}

// assertionSeconds is the validity of the pod's ServiceAccount tokens for Entra ID. The issuer exchanges the last one that it was sent.
const assertionSeconds = 3600

func fieldVariable(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path},
	}}
}
