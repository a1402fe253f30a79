package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/kube-imds/kube-imds/api/v1alpha1/crd"
)

// The kinds.
const (
	identityKind   = "ManagedIdentity"
	bindingKind    = "IdentityBinding"
	vaultKind      = "KeyVault"
	assignmentKind = "RoleAssignment"
)

// definition is a kind with the validation of an API server.
type definition struct {
	name       string
	namespaced bool

	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

// definitions returns the definitions by kind. They compile once, because that takes long.
var definitions = sync.OnceValues(loadDefinitions)

func loadDefinitions() (map[string]*definition, error) {
	definitions := map[string]*definition{}
	for _, file := range []string{
		"kube-imds.io_managedidentities.yaml", "kube-imds.io_identitybindings.yaml",
		"kube-imds.io_keyvaults.yaml", "kube-imds.io_roleassignments.yaml",
	} {
		content, err := crd.Files.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the definitions: %w", err)
		}
		definition, err := newDefinition(content)
		if err != nil {
			return nil, fmt.Errorf("read the definition %s: %w", file, err)
		}
		definitions[definition.name] = definition
	}
	return definitions, nil
}

func newDefinition(content []byte) (*definition, error) {
	var object apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(content, &object); err != nil {
		return nil, err
	}
	var properties apiextensions.JSONSchemaProps
	err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
		object.Spec.Versions[0].Schema.OpenAPIV3Schema, &properties, nil)
	if err != nil {
		return nil, err
	}
	structural, err := schema.NewStructural(&properties)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(&properties)
	if err != nil {
		return nil, err
	}
	return &definition{
		name: object.Spec.Names.Kind, namespaced: object.Spec.Scope == apiextensionsv1.NamespaceScoped,
		structural: structural, schema: validator,
		rules: cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}, nil
}

// admit treats an object like an API server on creation: it validates name and fields, sets defaults and drops the status.
func (d *definition) admit(object map[string]any) (*metav1.ObjectMeta, error) {
	delete(object, "status")
	metadata, err := metadataOf(object)
	if err != nil {
		return nil, d.wrap(object, err)
	}
	unknown := pruning.PruneWithOptions(object, d.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, d.wrap(object, fmt.Errorf("there is no field %s", unknown[0]))
	}
	defaulting.Default(object, d.structural)
	problems := validation.ValidateCustomResource(nil, object, d.schema)
	problems = append(problems, listtype.ValidateListSetsAndMaps(nil, d.structural, object)...)
	if len(problems) == 0 {
		// Rules expect fields of the right types.
		more, _ := d.rules.Validate(context.Background(), nil, d.structural, object, nil, celconfig.RuntimeCELCostBudget)
		problems = append(problems, more...)
	}
	return metadata, d.wrap(object, asError(problems))
}

// metadataOf reads an object's metadata, strictly.
func metadataOf(object map[string]any) (*metav1.ObjectMeta, error) {
	content, err := json.Marshal(object["metadata"])
	if err != nil {
		return nil, err
	}
	var metadata metav1.ObjectMeta
	if err := yaml.UnmarshalStrict(content, &metadata); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if metadata.Name == "" {
		return nil, errors.New("metadata.name: Required value")
	}
	if complaints := utilvalidation.IsDNS1123Subdomain(metadata.Name); len(complaints) > 0 {
		return nil, fmt.Errorf("metadata.name: %s", complaints[0])
	}
	return &metadata, nil
}

// asError is the problems as an error, or nil. Each names its field.
func asError(problems field.ErrorList) error {
	var all []error
	for _, problem := range problems {
		all = append(all, problem)
	}
	return errors.Join(all...)
}

// wrap says which object an error is about.
func (d *definition) wrap(object map[string]any, err error) error {
	if err == nil {
		return nil
	}
	metadata, _ := object["metadata"].(map[string]any)
	if name, _ := metadata["name"].(string); name != "" {
		return fmt.Errorf("%s %q: %w", d.name, name, err)
	}
	return fmt.Errorf("%s: %w", d.name, err)
}
