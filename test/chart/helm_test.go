// Package chart tests the Helm chart: its rendering, with Helm's own command line, and its installation at a real API server.
// It needs no cluster: HELM names the helm to use, KUBEBUILDER_ASSETS the folder of kube-apiserver and etcd.
package chart

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const (
	release   = "kube-imds"
	namespace = "kube-imds-system"
	chartPath = "../../charts/kube-imds"
	leaseName = "kube-imds-controller"

	// kubeVersion is the version of the cluster for helm template.
	kubeVersion = "1.37.2"
)

// helm runs Helm's command line and returns its output.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var output bytes.Buffer
	command := exec.Command(helmPath(t), args...)
	command.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	return output.String(), err
}

func helmPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath(cmp.Or(os.Getenv("HELM"), "helm"))
	if err != nil {
		t.Skip("the chart's tests need helm; set HELM to its path:", err)
	}
	return path
}

// render renders the chart with values in the form KEY=VALUE.
func render(t *testing.T, values ...string) objects {
	t.Helper()
	output, err := template(t, values...)
	if err != nil {
		t.Fatalf("helm template: %v\n%s", err, output)
	}
	return parse(t, output)
}

func template(t *testing.T, values ...string) (string, error) {
	t.Helper()
	args := []string{"template", release, chartPath, "--namespace", namespace, "--kube-version", kubeVersion}
	for _, value := range values {
		args = append(args, "--set-json", value)
	}
	return helm(t, args...)
}

// objects are the rendered objects.
type objects []*unstructured.Unstructured

func parse(t *testing.T, manifest string) objects {
	t.Helper()
	var all objects
	for document := range strings.SplitSeq("\n"+manifest, "\n---\n") {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
		if len(object.Object) > 0 {
			all = append(all, &object)
		}
	}
	return all
}

// ofKind returns the objects of a kind.
func (o objects) ofKind(kind string) objects {
	var some objects
	for _, object := range o {
		if object.GetKind() == kind {
			some = append(some, object)
		}
	}
	return some
}

// named returns the object of a kind and a name.
func (o objects) named(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, object := range o.ofKind(kind) {
		if object.GetName() == name {
			return object
		}
	}
	t.Fatalf("the chart has no %s %s", kind, name)
	return nil
}

// as reads an object as its Go type.
func as[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	into := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true); err != nil {
		t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
	return into
}
