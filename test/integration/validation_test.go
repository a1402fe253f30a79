package integration

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const (
	notAGUID     = "must be a GUID in lower case, such as 72f988bf-86f1-41af-91ab-2d7cd011db47"
	notALifetime = "must be a duration from 15m to 24h, such as 1h"
	notAnID      = "must be an Azure Resource Manager ID: /subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{type}/{name}"
	needsEntra   = "tokenSource Entra needs the clientID and the tenantID of a managed identity that exists in Entra ID"
	oneOfBoth    = "name the namespaces with exactly one of namespaces and namespaceSelector"
)

func TestInvalidIdentityIsRefused(t *testing.T) {
	t.Parallel()
	needServer(t)
	for _, test := range []struct{ name, spec, message string }{
		{"tenant is not a GUID", "tenantID: contoso", invalid("tenantID", "contoso", notAGUID)},
		{"a client ID in upper case", "clientID: 72F988BF-86F1-41AF-91AB-2D7CD011DB47", invalid("clientID", "72F988BF-86F1-41AF-91AB-2D7CD011DB47", notAGUID)},
		{"an empty client ID", `clientID: ""`, invalid("clientID", "", notAGUID)},
		{"a principal ID in braces", `principalID: "{2f988bf-86f1-41af-91ab-2d7cd011db4}"`, invalid("principalID", "{2f988bf-86f1-41af-91ab-2d7cd011db4}", notAGUID)},
		{"a GUID that is too long", "tenantID: 72f988bf-86f1-41af-91ab-2d7cd011db470", "spec.tenantID: Too long"},
		{"a resource ID that is a name", "resourceID: orders", invalid("resourceID", "orders", notAnID)},
		{"a resource ID of a group", "resourceID: /subscriptions/s/resourceGroups/g", invalid("resourceID", "/subscriptions/s/resourceGroups/g", notAnID)},
		{"a resource ID that is too long", "resourceID: " + strings.Repeat("x", 513), "spec.resourceID: Too long"},
		{"a lifetime that is too short", "tokenLifetime: 14m", invalid("tokenLifetime", "14m", notALifetime)},
		{"a lifetime that is too long", "tokenLifetime: 25h", invalid("tokenLifetime", "25h", notALifetime)},
		{"a negative lifetime", "tokenLifetime: -1h", invalid("tokenLifetime", "-1h", notALifetime)},
		{"a lifetime in a word", "tokenLifetime: soon", invalid("tokenLifetime", "soon", notALifetime)},
		{"an empty lifetime", `tokenLifetime: ""`, invalid("tokenLifetime", "", notALifetime)},
		{"a lifetime in days", "tokenLifetime: 1d", invalid("tokenLifetime", "1d", notALifetime)},
		{"a lifetime that is a number", "tokenLifetime: 3600", "must be of type string"},
		{"an unknown type", "type: Mine", `supported values: "UserAssigned", "SystemAssigned"`},
		{"an unknown token source", "tokenSource: AWS", `supported values: "Local", "Entra"`},
		{"settings of Entra for a local identity", "entra: {audience: api://own}", "spec: Invalid value: entra has settings for tokenSource Entra"},
		{"an authority without TLS", entraWith("authority: 'http://login.example'"), "must be https:// and a host"},
		{"an authority with a path", entraWith("authority: 'https://login.example/tenant'"), "must be https:// and a host"},
		{"an authority with a slash", entraWith("authority: 'https://login.example/'"), "must be https:// and a host"},
		{"an authority with a user", entraWith("authority: 'https://me@login.example'"), "must be https:// and a host"},
		{"Entra without IDs", "tokenSource: Entra", "spec: Invalid value: " + needsEntra},
		{"Entra without a tenant", "{tokenSource: Entra, clientID: 72f988bf-86f1-41af-91ab-2d7cd011db47}", "spec: Invalid value: " + needsEntra},
		{"Entra without a client", "{tokenSource: Entra, tenantID: 72f988bf-86f1-41af-91ab-2d7cd011db47}", "spec: Invalid value: " + needsEntra},
		{"an empty resource", `allowedResources: [""]`, "spec.allowedResources[0]"},
		{"a resource twice", "allowedResources: [a, a]", `spec.allowedResources[1]: Duplicate value: "a"`},
		{"an admission without namespaces", "assumableBy: [{serviceAccounts: [a]}]", "spec.assumableBy[0]: Invalid value: " + oneOfBoth},
		{
			"an admission with both", "assumableBy: [{namespaces: [a], namespaceSelector: {}, serviceAccounts: [a]}]",
			"spec.assumableBy[0]: Invalid value: " + oneOfBoth,
		},
		{"an admission of no namespaces", "assumableBy: [{namespaces: [], serviceAccounts: [a]}]", "spec.assumableBy[0].namespaces"},
		{"an admission of no ServiceAccounts", "assumableBy: [{namespaces: [a], serviceAccounts: []}]", "spec.assumableBy[0].serviceAccounts"},
		{"an admission that names no ServiceAccounts", "assumableBy: [{namespaces: [a]}]", "spec.assumableBy[0].serviceAccounts: Required value"},
		{"a namespace that is a pattern", `assumableBy: [{namespaces: ["a*"], serviceAccounts: [a]}]`, "spec.assumableBy[0].namespaces[0]"},
		{"a ServiceAccount that is a pattern", `assumableBy: [{namespaces: [a], serviceAccounts: ["a*"]}]`, "spec.assumableBy[0].serviceAccounts[0]"},
		{"an unknown field", "tokenLifeTime: 1h", `unknown field "spec.tokenLifeTime"`},
		{"an unknown field of an admission", "assumableBy: [{namespace: a, serviceAccounts: [a]}]", `unknown field "spec.assumableBy[0].namespace"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			refused(t, object(t, "ManagedIdentity", "", "wrong", test.spec), test.message)
		})
	}
}

// entraWith returns the spec of an identity of Entra ID with a setting.
func entraWith(setting string) string {
	return "{tokenSource: Entra, tenantID: 72f988bf-86f1-41af-91ab-2d7cd011db47, clientID: 72f988bf-86f1-41af-91ab-2d7cd011db47, entra: {" + setting + "}}"
}

func TestLongNameOfIdentityIsRefused(t *testing.T) {
	t.Parallel()
	needServer(t)
	taken(t, object(t, "ManagedIdentity", "", strings.Repeat("n", 63), "{}"))
	refused(t, object(t, "ManagedIdentity", "", strings.Repeat("n", 64), "{}"),
		"metadata.name: must be no more than 63 characters, so that it can be named in annotations and resource IDs")
}

func TestInvalidBindingIsRefused(t *testing.T) {
	t.Parallel()
	needServer(t)
	for _, test := range []struct{ name, spec, message string }{
		{"no ServiceAccounts", "{serviceAccounts: [], identities: [a]}", "spec.serviceAccounts"},
		{"ServiceAccounts left out", "{identities: [a]}", "spec.serviceAccounts: Required value"},
		{"a ServiceAccount that is a pattern", `{serviceAccounts: ["a*"], identities: [a]}`, "spec.serviceAccounts[0]"},
		{"a ServiceAccount twice", "{serviceAccounts: [a, a], identities: [a]}", "Duplicate value"},
		{"no identities", "{serviceAccounts: [a], identities: []}", "spec.identities"},
		{"identities left out", "{serviceAccounts: [a]}", "spec.identities: Required value"},
		{"all identities", `{serviceAccounts: [a], identities: ["*"]}`, "spec.identities[0]"},
		{"an identity twice", "{serviceAccounts: [a], identities: [a, a]}", "Duplicate value"},
		{"a default that is not bound", "{serviceAccounts: [a], identities: [b], defaultIdentity: c}", "spec: Invalid value: defaultIdentity must be one of identities"},
		{"an unknown field", "{serviceAccounts: [a], identities: [b], default: b}", `unknown field "spec.default"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			refused(t, object(t, "IdentityBinding", "default", "wrong", test.spec), test.message)
		})
	}
	t.Run("no spec", func(t *testing.T) {
		t.Parallel()
		refused(t, object(t, "IdentityBinding", "default", "wrong", "null"), "spec: Required value")
	})
}

// object returns one of our objects as a user writes it.
func object(t *testing.T, kind, namespace, name, spec string) *unstructured.Unstructured {
	t.Helper()
	made := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "kube-imds.io/v1alpha1", "kind": kind}}
	made.SetNamespace(namespace)
	made.SetName(name)
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(spec), &fields); err != nil {
		t.Fatal(err)
	}
	if fields != nil {
		made.Object["spec"] = fields
	}
	return made
}

// invalid returns the API server's message for a field of the spec.
func invalid(field, value, message string) string {
	return fmt.Sprintf("spec.%s: Invalid value: %q: %s", field, value, message)
}

// refused checks the error for an invalid object, with the field validation of kubectl.
func refused(t *testing.T, wrong client.Object, message string) {
	t.Helper()
	err := admin.Create(t.Context(), wrong, client.DryRunAll, client.FieldValidation("Strict"))
	switch {
	case err == nil:
		t.Error("the object is accepted")
	case !strings.Contains(err.Error(), message):
		t.Errorf("got message\n%s\nwant it to contain\n%s", err, message)
	}
}

func taken(t *testing.T, good client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), good, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
		t.Error(err)
	}
}

// convert reads an object as its Go type.
func convert(t *testing.T, from *unstructured.Unstructured, into any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(from.Object, into); err != nil {
		t.Fatal(err)
	}
}
