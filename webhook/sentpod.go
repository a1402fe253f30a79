package webhook

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// sentPod is what is read of a pod: what decides what is done to it. Most of a pod is not.
type sentPod struct {
	Metadata struct {
		Name         string            `json:"name"`
		GenerateName string            `json:"generateName"`
		Labels       map[string]string `json:"labels"`
		Annotations  map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		ServiceAccountName    string           `json:"serviceAccountName"`
		HostNetwork           bool             `json:"hostNetwork"`
		OS                    *corev1.PodOS    `json:"os"`
		DNSPolicy             corev1.DNSPolicy `json:"dnsPolicy"`
		ShareProcessNamespace *bool            `json:"shareProcessNamespace"`
		SecurityContext       *struct {
			Sysctls []corev1.Sysctl `json:"sysctls"`
		} `json:"securityContext"`
		HostAliases    []corev1.HostAlias `json:"hostAliases"`
		InitContainers sentContainers     `json:"initContainers"`
		Containers     sentContainers     `json:"containers"`
		Volumes        sentVolumes        `json:"volumes"`
	} `json:"spec"`
}

// check bounds the containers of both lists together.
func (s *sentPod) check() error {
	if len(s.Spec.InitContainers)+len(s.Spec.Containers) > maxContainers {
		return errTooLarge
	}
	return nil
}

// in returns the pod in the namespace that it is created in.
func (s *sentPod) in(namespace string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: s.Metadata.Name, GenerateName: s.Metadata.GenerateName,
			Labels: s.Metadata.Labels, Annotations: s.Metadata.Annotations,
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: s.Spec.ServiceAccountName, HostNetwork: s.Spec.HostNetwork, OS: s.Spec.OS, DNSPolicy: s.Spec.DNSPolicy,
			ShareProcessNamespace: s.Spec.ShareProcessNamespace, HostAliases: s.Spec.HostAliases,
			InitContainers: s.Spec.InitContainers, Containers: s.Spec.Containers, Volumes: s.Spec.Volumes,
		},
	}
	if context := s.Spec.SecurityContext; context != nil {
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: context.Sysctls}
	}
	return pod
}

// sentContainers are at most maxContainers.
type sentContainers []corev1.Container

// UnmarshalJSONFrom reads a list of containers.
func (s *sentContainers) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	*s = nil
	return eachItem(decoder, maxContainers, func() error {
		var sent sentContainer
		if err := json.UnmarshalDecode(decoder, &sent); err != nil {
			return err
		}
		container, err := sent.container()
		*s = append(*s, container)
		return err
	})
}

// sentContainer is what is read of a container.
type sentContainer struct {
	Name            string                 `json:"name"`
	Image           string                 `json:"image"`
	ImagePullPolicy corev1.PullPolicy      `json:"imagePullPolicy"`
	Args            []string               `json:"args"`
	Env             []corev1.EnvVar        `json:"env"`
	EnvFrom         []struct{}             `json:"envFrom"`
	Ports           []corev1.ContainerPort `json:"ports"`
	VolumeMounts    []corev1.VolumeMount   `json:"volumeMounts"`
	Resources       jsontext.Value         `json:"resources"`
}

func (s sentContainer) container() (corev1.Container, error) {
	container := corev1.Container{
		Name: s.Name, Image: s.Image, ImagePullPolicy: s.ImagePullPolicy, Args: s.Args, Env: s.Env, Ports: s.Ports, VolumeMounts: s.VolumeMounts,
		EnvFrom: make([]corev1.EnvFromSource, len(s.EnvFrom)),
	}
	// Those of the pod's own containers decide nothing.
	if _, ours := ownSubcommands[s.Name]; !ours || s.Resources == nil {
		return container, nil
	}
	return container, json.Unmarshal(s.Resources, &container.Resources)
}

// sentVolumes are at most maxVolumes.
type sentVolumes []corev1.Volume

// UnmarshalJSONFrom reads a list of volumes.
func (s *sentVolumes) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	*s = nil
	return eachItem(decoder, maxVolumes, func() error {
		var sent sentVolume
		if err := json.UnmarshalDecode(decoder, &sent); err != nil {
			return err
		}
		*s = append(*s, sent.volume())
		return nil
	})
}

// sentVolume is what is read of a volume.
type sentVolume struct {
	Name     string `json:"name"`
	EmptyDir *struct {
		Medium corev1.StorageMedium `json:"medium"`
	} `json:"emptyDir"`
	Projected *struct {
		Sources []struct {
			ServiceAccountToken *struct {
				Audience string `json:"audience"`
			} `json:"serviceAccountToken"`
		} `json:"sources"`
	} `json:"projected"`
}

func (s sentVolume) volume() corev1.Volume {
	volume := corev1.Volume{Name: s.Name}
	if s.EmptyDir != nil {
		volume.EmptyDir = &corev1.EmptyDirVolumeSource{Medium: s.EmptyDir.Medium}
	}
	if s.Projected != nil {
		volume.Projected = &corev1.ProjectedVolumeSource{}
		for _, source := range s.Projected.Sources {
			if token := source.ServiceAccountToken; token != nil {
				volume.Projected.Sources = append(volume.Projected.Sources, corev1.VolumeProjection{
					ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: token.Audience}})
			}
		}
	}
	return volume
}

// eachItem reads a list, or null. It fails with errTooLarge as soon as there are more items than it may have.
func eachItem(decoder *jsontext.Decoder, most int, read func() error) error {
	if decoder.PeekKind() != jsontext.KindBeginArray {
		return json.UnmarshalDecode(decoder, new([]struct{}))
	}
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	for count := 0; decoder.PeekKind() != jsontext.KindEndArray; count++ {
		if count == most {
			return errTooLarge
		}
		if err := read(); err != nil {
			return err
		}
	}
	_, err := decoder.ReadToken()
	return err
}
