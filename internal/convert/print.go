package convert

import (
	"encoding/json"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"
)

// PrintYAML writes the objects as YAML documents.
func (r *Result) PrintYAML(output io.Writer) error {
	for i, object := range r.objects() {
		content, err := yaml.Marshal(object)
		if err != nil {
			return fmt.Errorf("print the objects: %w", err)
		}
		if i > 0 {
			content = append([]byte("---\n"), content...)
		}
		if _, err := output.Write(content); err != nil {
			return fmt.Errorf("print the objects: %w", err)
		}
	}
	return nil
}

// PrintJSON writes the objects as a List.
func (r *Result) PrintJSON(output io.Writer) error {
	encoder := json.NewEncoder(output)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	list := struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Items      []any  `json:"items"`
	}{"v1", "List", r.objects()}
	if err := encoder.Encode(list); err != nil {
		return fmt.Errorf("print the objects: %w", err)
	}
	return nil
}

// objects returns identities before the bindings that name them.
func (r *Result) objects() []any {
	objects := []any{}
	for _, identity := range r.Identities {
		objects = append(objects, identity)
	}
	for _, binding := range r.Bindings {
		objects = append(objects, binding)
	}
	return objects
}
