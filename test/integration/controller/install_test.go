package controller

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const (
	release   = "kube-imds"
	namespace = "kube-imds-system"

	// kubeVersion is at least the chart's minimum version.
	kubeVersion = "1.37.2"

	// The chart's defaults.
	tenant       = "28a37578-cd01-54f5-804a-52ef0695644e"
	subscription = "41bc4f06-ae25-5cea-b0fc-fba992c50ddb"

	sidecarImage = "kube-imds/sidecar:test"
)

// installed lists the chart's templates that the controller needs.
var installed = []string{
	"controller/rbac", "controller/state", "controller/serviceaccount", "controller/policy", "controller/trust", "issuer/rbac",
	"webhook/mutating", "webhook/validating",
}

// install creates the chart's objects for the controller.
func (s *system) install(helm string) error {
	ctx := context.Background()
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := s.Create(ctx, home); err != nil {
		return fmt.Errorf("make the namespace: %w", err)
	}
	args := []string{"template", release, "../../../charts/kube-imds", "--namespace", namespace, "--kube-version", kubeVersion}
	for _, template := range installed {
		args = append(args, "--show-only", "templates/"+template+".yaml")
	}
	var complaint strings.Builder
	command := exec.Command(helm, args...)
	command.Stderr = &complaint
	rendered, err := command.Output()
	if err != nil {
		return fmt.Errorf("render the chart: %w\n%s", err, complaint.String())
	}
	for document := range strings.SplitSeq("\n"+string(rendered), "\n---\n") {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			return fmt.Errorf("read the chart: %w", err)
		}
		if len(object.Object) == 0 {
			continue
		}
		silence(&object)
		if err := s.Create(ctx, &object); err != nil {
			return fmt.Errorf("install %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// silence keeps the API server from calling the webhooks: there is no Service network here.
func silence(object *unstructured.Unstructured) {
	hooks, _ := object.Object["webhooks"].([]any)
	for _, hook := range hooks {
		if hook, ok := hook.(map[string]any); ok {
			hook["objectSelector"] = map[string]any{"matchLabels": map[string]any{"test.kube-imds.io/call": "webhook"}}
		}
	}
}
