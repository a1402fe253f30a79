package manifest

import (
	"cmp"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/json"
)

// addCore adds a Pod, Node, Service or Secret. No API server validates it here, so unknown fields, wrong types and a second Pod or
// Node are errors.
func (p *parser) addCore(kind string, content []byte) error {
	switch kind {
	case "Pod":
		pod := &corev1.Pod{}
		if p.manifest.Pod != nil {
			return fmt.Errorf("a second Pod: the first one, %q, is who asks", p.manifest.Pod.Name)
		}
		p.manifest.Pod = pod
		if err := p.decode(kind, content, pod, p.namespace); err != nil {
			return err
		}
		defaultPorts(pod)
		return nil
	case "Node":
		node := &corev1.Node{}
		if p.manifest.Node != nil {
			return fmt.Errorf("a second Node: the pod runs on the first one, %q", p.manifest.Node.Name)
		}
		p.manifest.Node = node
		return p.decode(kind, content, node, "")
	case "Service":
		var service corev1.Service
		if err := p.decode(kind, content, &service, p.namespace); err != nil {
			return err
		}
		for i := range service.Spec.Ports {
			port := &service.Spec.Ports[i]
			port.Protocol = cmp.Or(port.Protocol, corev1.ProtocolTCP)
		}
		p.manifest.Services = append(p.manifest.Services, service)
		return nil
	case "Secret":
		secret := &corev1.Secret{}
		if err := p.decode(kind, content, secret, p.namespace); err != nil {
			return err
		}
		return p.addSecrets(secret)
	}
	return fmt.Errorf("unknown apiVersion %q and kind %q: want v1 Pod, Node, Service or Secret", "v1", kind)
}

// decode reads an object strictly and gives it a namespace if it has none.
func (p *parser) decode(kind string, content []byte, into client.Object, namespace string) error {
	unknown, err := json.UnmarshalStrict(content, into)
	if err = errors.Join(append(unknown, err)...); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	if complaints := validation.IsDNS1123Subdomain(into.GetName()); len(complaints) > 0 {
		return fmt.Errorf("%s %q: metadata.name: %s", kind, into.GetName(), complaints[0])
	}
	if into.GetNamespace() == "" {
		into.SetNamespace(namespace)
	}
	return p.see(kind, into.GetNamespace(), into.GetName())
}

// defaultPorts sets the protocol of ports as an API server does.
func defaultPorts(pod *corev1.Pod) {
	for _, container := range pod.Spec.Containers {
		for i := range container.Ports {
			container.Ports[i].Protocol = cmp.Or(container.Ports[i].Protocol, corev1.ProtocolTCP)
		}
	}
}
