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

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// Manifest is a cluster's objects around one pod, as far as IMDS answers from them.
type Manifest struct {
	Identities []*v1alpha1.ManagedIdentity
	Bindings   []v1alpha1.IdentityBinding

	// Pod and Node are nil if the files have none.
	Pod  *corev1.Pod
	Node *corev1.Node

	Services []corev1.Service

	Vaults      []*v1alpha1.KeyVault
	Assignments []*v1alpha1.RoleAssignment

	// Secrets are what vaults have at first.
	Secrets []Secret
}

// File is a file of YAML documents.
type File struct {
	Name    string
	Content []byte
}

// Parse parses files. Objects without a namespace are put into namespace. The error names the file, the document and the field of
// every mistake.
func Parse(namespace string, files ...File) (*Manifest, error) {
	definitions, err := definitions()
	if err != nil {
		return nil, err
	}
	parsed := &parser{definitions: definitions, namespace: namespace, seen: map[string]string{}}
	var problems []error
	for _, file := range files {
		problems = append(problems, parsed.read(file)...)
	}
	if len(problems) == 0 {
		problems = append(problems, parsed.manifest.check())
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &parsed.manifest, nil
}

// check returns an error for objects that do not fit together.
func (m *Manifest) check() error {
	if len(m.Bindings) > 0 && len(m.Identities) == 0 {
		return errors.New("there are IdentityBindings, but no ManagedIdentity")
	}
	if err := m.checkVaults(); err != nil {
		return err
	}
	if m.Pod == nil || m.Node == nil || m.Pod.Spec.NodeName == "" || m.Pod.Spec.NodeName == m.Node.Name {
		return nil
	}
	return fmt.Errorf("the Pod %q runs on node %q, and the only Node is %q: rename one of them", m.Pod.Name, m.Pod.Spec.NodeName, m.Node.Name)
}

type parser struct {
	definitions map[string]*definition
	namespace   string
	manifest    Manifest

	// place is the file and the number of the current document, counted from 1 without documents of comments alone.
	place string

	// seen are the places of objects by kind, namespace and name.
	seen map[string]string
}

// read adds the documents of a file and returns what is wrong with them.
func (p *parser) read(file File) (problems []error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(file.Content)))
	number := 0
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return append(problems, fmt.Errorf("read %s: %w", file.Name, err))
		}
		content, err := yaml.YAMLToJSONStrict(document)
		if string(content) == "null" {
			continue
		}
		number++
		p.place = fmt.Sprintf("%s, document %d", file.Name, number)
		if err != nil {
			err = fmt.Errorf("read it as YAML: %w", err)
		} else {
			err = p.add(content)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", p.place, err))
		}
	}
	if number == 0 {
		problems = append(problems, fmt.Errorf("%s holds no object", file.Name))
	}
	return problems
}

// add adds an object in JSON.
func (p *parser) add(content []byte) error {
	var object map[string]any
	// Unlike encoding/json it keeps whole numbers whole, like an API server.
	if err := utiljson.Unmarshal(content, &object); err != nil {
		return errors.New("not an object with apiVersion, kind and metadata")
	}
	version, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	if version == "v1" {
		return p.addCore(kind, content)
	}
	definition, found := p.definitions[kind]
	if !found || version != v1alpha1.GroupVersion.String() {
		return fmt.Errorf("unknown apiVersion %q and kind %q: want %s ManagedIdentity, IdentityBinding, KeyVault or RoleAssignment, or v1 Pod, Node, Service or Secret",
			version, kind, v1alpha1.GroupVersion)
	}
	metadata, err := definition.admit(object)
	if err != nil {
		return err
	}
	if definition.namespaced && metadata.Namespace == "" {
		metadata.Namespace = p.namespace
	}
	if err := p.see(kind, metadata.Namespace, metadata.Name); err != nil {
		return err
	}
	return p.keep(definition, object, metadata.Namespace)
}

// see returns an error if the object was seen before.
func (p *parser) see(kind, namespace, name string) error {
	key := fmt.Sprintf("%s %s/%s", kind, namespace, name)
	if before, found := p.seen[key]; found {
		return fmt.Errorf("%s %q is in %s already", kind, name, before)
	}
	p.seen[key] = p.place
	return nil
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
	case vaultKind:
		vault := &v1alpha1.KeyVault{}
		if err := json.Unmarshal(content, vault); err != nil {
			return kind.wrap(object, err)
		}
		vault.Namespace = namespace
		p.manifest.Vaults = append(p.manifest.Vaults, vault)
	case assignmentKind:
		assignment := &v1alpha1.RoleAssignment{}
		if err := json.Unmarshal(content, assignment); err != nil {
			return kind.wrap(object, err)
		}
		assignment.Namespace = namespace
		p.manifest.Assignments = append(p.manifest.Assignments, assignment)
	}
	return nil
}
