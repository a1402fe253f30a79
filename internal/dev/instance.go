package dev

import (
	"context"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuer"
	"github.com/kube-imds/kube-imds/internal/sidecar/issuerclient"
)

// name is the machine's, and the pod's.
const name = "dev"

// instance is the machine that instance metadata describes: always the same one.
type instance struct{ described *imds.Instance }

var _ imds.InstanceSource = instance{}

func newInstance(pod Pod, defaults machine.Defaults) instance {
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: pod.Namespace,
		UID: types.UID(uuid.NewSHA1(uuid.NameSpaceURL, []byte("kube-imds.io/dev")).String()),
	}}
	described := issuerclient.InstanceOf(issuer.DescribeInstance(object, &corev1.Node{}, defaults))
	described.Interfaces = []imds.Interface{{
		MACAddress: "000000000000", IPv4: []string{"127.0.0.1"}, Subnets: []imds.Subnet{{Address: "127.0.0.0", Prefix: "8"}},
	}}
	return instance{described}
}

// Instance describes the machine.
func (i instance) Instance(context.Context) (*imds.Instance, error) { return i.described, nil }
