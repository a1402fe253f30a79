package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const definitionsPath = "../../api/v1alpha1/crd"

func TestEveryFieldIsDescribed(t *testing.T) {
	t.Parallel()
	for _, definition := range definitions(t) {
		for _, version := range definition.Spec.Versions {
			schema := *version.Schema.OpenAPIV3Schema
			if schema.Description == "" {
				t.Errorf("%s has no description", definition.Spec.Names.Kind)
			}
			// The API server describes it.
			delete(schema.Properties, "metadata")
			for _, path := range undescribed(definition.Spec.Names.Kind, schema) {
				t.Errorf("%s has no description", path)
			}
		}
	}
}

// undescribed returns the paths of the fields of a schema that have no description.
func undescribed(path string, schema apiextensionsv1.JSONSchemaProps) []string {
	var missing []string
	for name, field := range schema.Properties {
		if strings.TrimSpace(field.Description) == "" {
			missing = append(missing, path+"."+name)
		}
		missing = append(missing, undescribed(path+"."+name, field)...)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		missing = append(missing, undescribed(path+"[]", *schema.Items.Schema)...)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		missing = append(missing, undescribed(path+"{}", *schema.AdditionalProperties.Schema)...)
	}
	return missing
}

func TestPrinterColumns(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"ManagedIdentity": {"Ready", "Source", "Client ID", "Service Accounts", "Uninjected", "Age"},
		"KeyVault":        {"Ready", "URI", "Age"},
		"RoleAssignment":  {"Ready", "Identity", "Object ID", "Role", "Key Vault", "Secret", "Storage", "API", "Age"},
		"StorageAccount":  {"Ready", "Blob", "Age"},
		"IdentityBinding": {"Ready", "Service Accounts", "Identities", "Uninjected", "Reason", "Age"},
	}
	got := map[string][]string{}
	for _, definition := range definitions(t) {
		for _, version := range definition.Spec.Versions {
			for _, column := range version.AdditionalPrinterColumns {
				if column.Priority == 0 {
					got[definition.Spec.Names.Kind] = append(got[definition.Spec.Names.Kind], column.Name)
				}
				if !hasField(*version.Schema.OpenAPIV3Schema, column.JSONPath) {
					t.Errorf("%s: column %q shows %s, which is not a field", definition.Name, column.Name, column.JSONPath)
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("columns without -o wide (-want +got)\n" + diff)
	}
}

// hasField reports whether a JSON path of plain fields, or of the first filter in it, is in the schema.
func hasField(schema apiextensionsv1.JSONSchemaProps, path string) bool {
	if strings.HasPrefix(path, ".metadata.") {
		return true
	}
	plain, filter, _ := strings.Cut(path, "[?(")
	field := schema
	for name := range strings.SplitSeq(strings.TrimPrefix(plain, "."), ".") {
		next, ok := field.Properties[name]
		if !ok {
			return false
		}
		field = next
	}
	if filter == "" {
		return true
	}
	_, last, _ := strings.Cut(filter, ")].")
	_, ok := field.Items.Schema.Properties[last]
	return ok
}

func TestEveryKindHasAStatusAndACategory(t *testing.T) {
	t.Parallel()
	for _, definition := range definitions(t) {
		if !slices.Contains(definition.Spec.Names.Categories, "kube-imds") || len(definition.Spec.Names.ShortNames) != 1 {
			t.Errorf("%s: categories = %v, short names = %v", definition.Name,
				definition.Spec.Names.Categories, definition.Spec.Names.ShortNames)
		}
		for _, version := range definition.Spec.Versions {
			if version.Subresources == nil || version.Subresources.Status == nil {
				t.Errorf("%s has no status subresource in %s", definition.Name, version.Name)
			}
		}
	}
}

// definitions returns the CRDs that are generated from api.
func definitions(t *testing.T) []apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(definitionsPath, "*.yaml"))
	if err != nil || len(paths) != 5 {
		t.Fatalf("%d definitions: %v", len(paths), err)
	}
	var all []apiextensionsv1.CustomResourceDefinition
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var definition apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(text, &definition); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, definition)
	}
	return all
}
