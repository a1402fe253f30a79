package convert

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Remark is what a person should know of an object: why, and what to do.
type Remark struct{ Object, Reason, Remedy string }

// String returns the remark in one line.
func (r Remark) String() string {
	line := r.Object + ": " + r.Reason
	if r.Remedy != "" {
		line += ": " + r.Remedy
	}
	return line
}

// Report writes what a person should know, and what is left to do for pods.
func (r *Result) Report(output io.Writer) error {
	var text strings.Builder
	for _, leftover := range r.Leftovers {
		fmt.Fprintf(&text, "not converted: %s\n", leftover)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(&text, "warning: %s\n", warning)
	}
	if len(r.Bindings) > 0 {
		fmt.Fprintf(&text, "next: remove the label %s from the pod templates, and have IMDS injected instead: annotate them with %s: \"true\", "+
			"or run: kubectl label namespace %s %s=%s\n", strings.Join(r.oldLabels, " or "), v1alpha1.InjectAnnotation,
			strings.Join(r.namespaces(), " "), v1alpha1.InjectLabel, v1alpha1.InjectEnabled)
	}
	if _, err := io.WriteString(output, text.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// namespaces returns the namespaces of the bindings.
func (r *Result) namespaces() []string {
	var namespaces []string
	for _, binding := range r.Bindings {
		namespaces = append(namespaces, binding.Namespace)
	}
	return slices.Compact(namespaces)
}
