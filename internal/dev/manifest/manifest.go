// Package manifest reads kube-imds's objects from YAML as a cluster would take them: strictly, with the defaults and by
// the rules of their definitions.
package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// Manifest is what a file holds, in its order.
type Manifest struct {
	Identities []*v1alpha1.ManagedIdentity
	Bindings   []v1alpha1.IdentityBinding
}

// Parse reads YAML of one or more documents. The name says in errors where it is from; bindings that name no namespace
// are of the given one.
func Parse(name string, content []byte, namespace string) (*Manifest, error) {
	definitions, err := loadDefinitions()
	if err != nil {
		return nil, err
	}
	parsed := &parser{definitions: definitions, namespace: namespace, seen: map[string]int{}}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	var problems []error
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if err := parsed.add(document); err != nil {
			problems = append(problems, fmt.Errorf("%s, document %d: %w", name, parsed.number, err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if len(parsed.manifest.Identities) == 0 {
		return nil, fmt.Errorf("%s holds no ManagedIdentity", name)
	}
	return &parsed.manifest, nil
}

// parser collects documents.
type parser struct {
	definitions map[string]*definition
	namespace   string
	manifest    Manifest

	// number is that of the document, counted from 1. What is nothing but comments is none.
	number int

	// seen are the documents' numbers, by kind, namespace and name.
	seen map[string]int
}

// add reads a document.
func (p *parser) add(document []byte) error {
	content, err := yaml.YAMLToJSONStrict(document)
	if string(content) == "null" {
		return nil
	}
	p.number++
	if err != nil {
		return fmt.Errorf("read it as YAML: %w", err)
	}
	var object map[string]any
	// An API server's way: whole numbers stay whole.
	if err := utiljson.Unmarshal(content, &object); err != nil {
		return errors.New("it is no object with apiVersion, kind and metadata")
	}
	kind, err := p.kindOf(object)
	if err != nil {
		return err
	}
	metadata, err := kind.admit(object)
	if err != nil {
		return err
	}
	if kind.namespaced && metadata.Namespace == "" {
		metadata.Namespace = p.namespace
	}
	key := fmt.Sprintf("%s %s/%s", kind.name, metadata.Namespace, metadata.Name)
	if before, found := p.seen[key]; found {
		return fmt.Errorf("%s %q is in document %d already", kind.name, metadata.Name, before)
	}
	p.seen[key] = p.number
	return p.keep(kind, object, metadata.Namespace)
}

func (p *parser) kindOf(object map[string]any) (*definition, error) {
	version, _ := object["apiVersion"].(string)
	name, _ := object["kind"].(string)
	definition, found := p.definitions[name]
	if !found || version != v1alpha1.GroupVersion.String() {
		return nil, fmt.Errorf("it is of apiVersion %q and kind %q: what is read is %s, ManagedIdentity and IdentityBinding",
			version, name, v1alpha1.GroupVersion)
	}
	return definition, nil
}

// keep turns an object that its definition admits into its type.
func (p *parser) keep(kind *definition, object map[string]any, namespace string) error {
	content, err := json.Marshal(object)
	if err != nil {
		return kind.wrap(object, err)
	}
	switch kind.name {
	case identityKind:
		identity := &v1alpha1.ManagedIdentity{}
		if err := json.Unmarshal(content, identity); err != nil {
			return kind.wrap(object, err)
		}
		if err := grant.CheckAdmissions(identity); err != nil {
			return kind.wrap(object, err)
		}
		p.manifest.Identities = append(p.manifest.Identities, identity)
	case bindingKind:
		var binding v1alpha1.IdentityBinding
		if err := json.Unmarshal(content, &binding); err != nil {
			return kind.wrap(object, err)
		}
		binding.Namespace = namespace
		p.manifest.Bindings = append(p.manifest.Bindings, binding)
	}
	return nil
}
