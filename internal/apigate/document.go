// Package apigate is the gate before any API that has an OpenAPI document. It validates tokens like any resource server, asks which app roles the
// caller has, and passes on the operations of the document alone.
package apigate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// The bounds of a document.
const (
	// MaxDocument is in bytes.
	MaxDocument = 4 << 20

	maxOperations = 5000
	maxSegments   = 64

	// maxTold bounds the faults that an error names.
	maxTold = 20
)

// Document is an OpenAPI document, as far as the gate needs it.
type Document struct {
	// paths are by the number of their segments.
	paths map[int][]*pathItem

	// roles are the app roles that operations need.
	roles map[v1alpha1.RoleName]bool
}

// pathItem is a path with its operations, by method.
type pathItem struct {
	template
	operations map[string]*Operation
}

// Operation is an operation of a document.
type Operation struct {
	// Name is its operationId, or its method and path.
	Name string

	// Public is whether it needs no token.
	Public bool

	// Alternatives are sets of app roles. A caller needs all of one set.
	Alternatives [][]v1alpha1.RoleName
}

// ReadDocument reads an OpenAPI 3 document in JSON or YAML. Every operation in it must say who may call it.
func ReadDocument(ctx context.Context, content []byte) (*Document, error) {
	if len(content) > MaxDocument {
		return nil, fmt.Errorf("the OpenAPI document has more than %d bytes", MaxDocument)
	}
	read, err := openapi3.NewLoader().LoadFromData(content)
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	// What schemas say of values is between the caller and the backend.
	if err := read.Validate(ctx, openapi3.DisableExamplesValidation(), openapi3.DisableSchemaPatternValidation(),
		openapi3.DisableSchemaFormatValidation(), openapi3.DisableSchemaDefaultsValidation()); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	made := &Document{paths: map[int][]*pathItem{}, roles: map[v1alpha1.RoleName]bool{}}
	bases, err := basePaths(read.Servers)
	if err != nil {
		return nil, err
	}
	var faults []error
	count := 0
	for _, base := range bases {
		for _, path := range slices.Sorted(maps.Keys(read.Paths.Map())) {
			item := read.Paths.Value(path)
			count += len(item.Operations())
			faults = append(faults, made.add(read, base+path, item)...)
		}
	}
	switch {
	case count == 0:
		return nil, errors.New("the OpenAPI document has no operations")
	case count > maxOperations:
		return nil, fmt.Errorf("the OpenAPI document has more than %d operations", maxOperations)
	case len(faults) > maxTold:
		faults = append(faults[:maxTold], fmt.Errorf("and %d more", len(faults)-maxTold))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("the gate cannot serve the OpenAPI document:\n%w", err)
	}
	return made, nil
}

// basePaths returns the paths of a document's servers, below which its paths are. By which name the gate is reached is not the document's to say.
func basePaths(servers openapi3.Servers) ([]string, error) {
	var bases []string
	for _, one := range servers {
		base, err := one.BasePath()
		if err != nil {
			return nil, fmt.Errorf("read the server %q of the OpenAPI document: %w", one.URL, err)
		}
		bases = append(bases, strings.TrimSuffix(base, "/"))
	}
	if len(bases) == 0 {
		bases = []string{""}
	}
	slices.Sort(bases)
	return slices.Compact(bases), nil
}

// add adds a path with its operations, and returns what is wrong with it.
func (d *Document) add(read *openapi3.T, path string, item *openapi3.PathItem) []error {
	parsed, err := parseTemplate(path)
	if err == nil && len(parsed.segments) > maxSegments {
		err = fmt.Errorf("it has more than %d segments", maxSegments)
	}
	if err == nil && len(item.Servers) > 0 {
		err = errServers
	}
	if err != nil {
		return []error{fmt.Errorf("%s: %w", path, err)}
	}
	made := &pathItem{parsed, map[string]*Operation{}}
	var faults []error
	for method, one := range item.Operations() {
		needed, err := rolesOf(read, one)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s %s: %w", method, path, err))
			continue
		}
		for _, role := range slices.Concat(needed...) {
			d.roles[role] = true
		}
		made.operations[method] = &Operation{Name: cmp.Or(one.OperationID, method+" "+path), Public: len(needed) == 0, Alternatives: needed}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	size := len(parsed.segments)
	d.paths[size] = append(d.paths[size], made)
	return faults
}

var errServers = errors.New("it has servers of its own, which the gate does not know; name them at the top of the document")

// roleName is what an app role may be called, as in a RoleAssignment.
var roleName = regexp.MustCompile(`^[!-~]{1,120}$`)

// rolesOf returns the app roles that an operation needs, or nothing if it is public. The OpenAPI specification calls them scopes or roles.
func rolesOf(read *openapi3.T, operation *openapi3.Operation) ([][]v1alpha1.RoleName, error) {
	if operation.Servers != nil && len(*operation.Servers) > 0 {
		return nil, errServers
	}
	requirements := read.Security
	if operation.Security != nil {
		if requirements = *operation.Security; len(requirements) == 0 {
			return nil, nil
		}
	}
	if len(requirements) == 0 {
		return nil, errors.New("it does not say who may call it: write security: [{SCHEME: [ROLE]}], or security: [] beside it if anybody may")
	}
	var alternatives [][]v1alpha1.RoleName
	for _, one := range requirements {
		roles, err := rolesOfRequirement(read, one)
		if err != nil {
			return nil, err
		}
		alternatives = append(alternatives, roles)
	}
	return alternatives, nil
}

func rolesOfRequirement(read *openapi3.T, requirement openapi3.SecurityRequirement) ([]v1alpha1.RoleName, error) {
	if len(requirement) != 1 {
		return nil, fmt.Errorf("each item of its security must name one scheme, not %d; security: [] is for operations that anybody may call", len(requirement))
	}
	var roles []v1alpha1.RoleName
	for name, named := range requirement {
		if !isOfTokens(read, name) {
			return nil, fmt.Errorf("its security scheme %s is none of tokens: the gate knows the types openIdConnect, oauth2 and http with bearer", name)
		}
		if len(named) == 0 {
			return nil, fmt.Errorf("its security names no role, and a valid token alone opens nothing: write security: [{%s: [ROLE]}]", name)
		}
		for _, one := range named {
			if !roleName.MatchString(one) {
				return nil, fmt.Errorf("its role %q is none that can be assigned: at most 120 characters of ASCII without spaces", one)
			}
			roles = append(roles, v1alpha1.RoleName(one))
		}
	}
	return roles, nil
}

func isOfTokens(read *openapi3.T, name string) bool {
	if read.Components == nil {
		return false
	}
	scheme := read.Components.SecuritySchemes[name]
	if scheme == nil || scheme.Value == nil {
		return false
	}
	switch scheme.Value.Type {
	case "openIdConnect", "oauth2":
		return true
	case "http":
		return strings.EqualFold(scheme.Value.Scheme, "bearer")
	}
	return false
}

// find returns the operation that a method and the segments of a path mean, and the methods that the path has if it is of another one. A path
// that could mean several is refused: which one the backend takes it for is not known.
func (d *Document) find(method string, path []string) (*Operation, []string, error) {
	segments, endsInSlash := trimSlash(path)
	var meant *pathItem
	candidates := d.paths[len(segments)]
	for _, one := range candidates {
		if one.matches(segments, endsInSlash) && (meant == nil || one.isBetter(meant.template, segments, true)) {
			meant = one
		}
	}
	if meant == nil {
		return nil, nil, errNoOperation
	}
	for _, one := range candidates {
		if one != meant && one.couldMatch(segments) && !meant.isBetter(one.template, segments, one.matches(segments, endsInSlash)) {
			return nil, nil, errAmbiguous
		}
	}
	operation := meant.operations[method]
	if operation == nil {
		return nil, slices.Sorted(maps.Keys(meant.operations)), errMethod
	}
	return operation, nil, nil
}
