package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Bounds of the input, of all files together.
const (
	maxBytes   = 16 << 20
	maxObjects = 20_000
)

// Manifests are the objects of files that a conversion depends on.
type Manifests struct {
	// Namespace is that of objects that name none.
	Namespace string

	azureIdentities []*azureIdentity
	azureBindings   []*azureBinding

	// exceptions are AzurePodIdentityExceptions, and assigned counts AzureAssignedIdentities.
	exceptions []*object
	assigned   int

	// serviceAccounts are those with an annotation of azure-workload-identity.
	serviceAccounts []*object
	workloads       []*workload

	// seen has the objects of which there may be only one of a name.
	seen map[string]bool

	// bytes and objects count what was read.
	bytes, objects int
}

// Read adds the objects of a file of YAML or JSON documents. It skips kinds that it does not know.
func (m *Manifests) Read(name string, file io.Reader) error {
	content, err := io.ReadAll(io.LimitReader(file, int64(maxBytes-m.bytes+1)))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if m.bytes += len(content); m.bytes > maxBytes {
		return fmt.Errorf("read %s: more than %d MiB: leave out pods that another workload creates, and kinds that are skipped", name, maxBytes>>20)
	}
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for number := 1; ; number++ {
		var document runtime.RawExtension
		err := documents.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && len(document.Raw) > 0 {
			err = m.add(document.Raw)
		}
		if err != nil {
			return fmt.Errorf("read %s, document %d: %w", name, number, err)
		}
	}
}

// add adds a document, which may be a List.
func (m *Manifests) add(content []byte) error {
	kind, err := m.kindOf(content)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(kind.Kind, "List") {
		return m.addObject(kind, content)
	}
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal(content, &list); err != nil {
		return fmt.Errorf("read the %s: %w", kind.Kind, err)
	}
	for i, item := range list.Items {
		kind, err := m.kindOf(item)
		if err == nil {
			err = m.addObject(kind, item)
		}
		if err != nil {
			return fmt.Errorf("item %d: %w", i+1, err)
		}
	}
	return nil
}

// kindOf returns an object's kind, and counts the object.
func (m *Manifests) kindOf(content []byte) (schema.GroupKind, error) {
	if m.objects++; m.objects > maxObjects {
		return schema.GroupKind{}, fmt.Errorf("more than %d objects: leave out pods that another workload creates, and kinds that are skipped", maxObjects)
	}
	var header struct{ APIVersion, Kind string }
	if err := json.Unmarshal(content, &header); err != nil || header.Kind == "" {
		return schema.GroupKind{}, errors.New("not an object with apiVersion, kind and metadata")
	}
	return schema.FromAPIVersionAndKind(header.APIVersion, header.Kind).GroupKind(), nil
}

// addObject adds an object if a conversion depends on its kind.
func (m *Manifests) addObject(kind schema.GroupKind, content []byte) error {
	add, known := kinds[kind]
	if !known {
		return nil
	}
	if err := add(m, content); err != nil {
		return fmt.Errorf("%s: %w", kind.Kind, err)
	}
	return nil
}

// sort makes the order of documents irrelevant.
func (m *Manifests) sort() {
	slices.SortFunc(m.azureIdentities, func(a, b *azureIdentity) int { return a.compare(&b.object) })
	slices.SortFunc(m.azureBindings, func(a, b *azureBinding) int { return a.compare(&b.object) })
	slices.SortFunc(m.serviceAccounts, (*object).compare)
	slices.SortFunc(m.exceptions, (*object).compare)
	slices.SortFunc(m.workloads, func(a, b *workload) int { return a.compare(&b.object) })
}
