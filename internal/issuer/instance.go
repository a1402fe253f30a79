package issuer

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// answerInstance describes the pod as a virtual machine.
func (s *Server) answerInstance(x *exchange) (answer, error) {
	node, err := s.Directory.Node(x.request.Context(), s.NodeName)
	if err != nil {
		return answer{}, err
	}
	return answer{body: DescribeInstance(x.pod, node, s.Metadata)}, nil
}

// DescribeInstance describes a pod as a virtual machine: by its name and labels, its node's place, and the defaults.
func DescribeInstance(pod *corev1.Pod, node *corev1.Node, defaults machine.Defaults) issuerapi.Instance {
	place := machine.PlaceOf(node, defaults)
	return issuerapi.Instance{
		Name:                pod.Name,
		ComputerName:        hostname(pod),
		VMID:                string(pod.UID),
		VMSize:              cmp.Or(node.Labels[corev1.LabelInstanceTypeStable], defaults.VMSize),
		Location:            place.Location,
		Zone:                place.Zone,
		PlatformFaultDomain: place.FaultDomain,
		AzureEnvironment:    defaults.Environment,
		SubscriptionID:      place.SubscriptionID,
		ResourceGroupName:   place.ResourceGroup,
		ResourceID:          place.ResourceID(pod.Name),
		VMScaleSetName:      place.ScaleSet,
		VMScaleSetID:        place.ScaleSetID(),
		Tags:                tagsOf(pod),
		UserData:            pod.Annotations[v1alpha1.UserDataAnnotation],
		CustomData:          pod.Annotations[v1alpha1.CustomDataAnnotation],
	}
}

// maxHostname is the length at which the kubelet cuts a pod's name for its hostname.
const maxHostname = 63

func hostname(pod *corev1.Pod) string {
	return cmp.Or(pod.Spec.Hostname, strings.TrimRight(pod.Name[:min(len(pod.Name), maxHostname)], "-."))
}

func tagsOf(pod *corev1.Pod) []issuerapi.Tag {
	tags := []issuerapi.Tag{}
	for _, name := range slices.Sorted(maps.Keys(pod.Labels)) {
		tags = append(tags, issuerapi.Tag{Name: name, Value: pod.Labels[name]})
	}
	return tags
}
