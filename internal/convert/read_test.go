package convert

import (
	"strings"
	"testing"
)

func TestMistakesAreErrors(t *testing.T) {
	t.Parallel()
	account := "{apiVersion: v1, kind: ServiceAccount, metadata: {name: a, annotations: {azure.workload.identity/client-id: b}}}"
	for name, test := range map[string]struct{ content, want string }{
		"not YAML":              {"a: [", "read file, document 1: "},
		"second is not YAML":    {account + "\n---\n\t{", "read file, document 2: "},
		"not an object":         {"- a", "read file, document 1: not an object with apiVersion, kind and metadata"},
		"text":                  {"template", "read file, document 1: not an object"},
		"no kind":               {"metadata: {name: a}", "read file, document 1: not an object"},
		"item without kind":     {"{kind: List, items: [{metadata: {name: a}}]}", "read file, document 1: item 1: not an object"},
		"items are no list":     {"{kind: List, items: a}", "read file, document 1: read the List: "},
		"field of another type": {"{apiVersion: aadpodidentity.k8s.io/v1, kind: AzureIdentity, metadata: {name: a}, spec: {type: managed}}", "document 1: AzureIdentity: "},
		"label of another type": {"{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {aadpodidbinding: 1}}}", "document 1: Pod: "},
		"no name":               {"{apiVersion: v1, kind: Pod}", `document 1: Pod: "": metadata.name: `},
		"generated name":        {"{apiVersion: v1, kind: ServiceAccount, metadata: {generateName: a}}", `document 1: ServiceAccount: "": metadata.name: `},
		"name":                  {"{apiVersion: aadpodidentity.k8s.io/v1, kind: AzureIdentity, metadata: {name: A}}", `AzureIdentity: "A": metadata.name: `},
		"namespace":             {"{apiVersion: v1, kind: ServiceAccount, metadata: {name: a, namespace: '*'}}", `ServiceAccount: "a": metadata.namespace: `},
		"ServiceAccount":        {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {serviceAccountName: '*'}}", `Pod: "a": serviceAccountName: `},
		"in a CronJob": {"{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {template: {spec: {serviceAccountName: '*'}}}}}}",
			`CronJob: "a": serviceAccountName: `},
		"twice": {account + "\n---\n" + account, `document 2: ServiceAccount: "a" is in the input twice`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			manifests := &Manifests{Namespace: "shop"}
			if err := manifests.Read("file", strings.NewReader(test.content)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v\nwant      %s", err, test.want)
			}
		})
	}
}

func TestInputIsBounded(t *testing.T) {
	t.Parallel()
	comment := strings.Repeat("# "+strings.Repeat("a", 1<<16)+"\n", maxBytes/2>>16)
	objects := strings.Repeat(`{"kind":"a"},`, maxObjects)
	for name, test := range map[string]struct {
		files []string
		want  string
	}{
		"large files":  {[]string{comment, comment}, "read file: more than 16 MiB: "},
		"many items":   {[]string{`{"kind":"List","items":[` + objects + `{"kind":"a"}]}`}, "more than 20000 objects: "},
		"many objects": {[]string{strings.ReplaceAll(objects, ",", "\n"), `{"kind":"a"}`}, "more than 20000 objects: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			manifests := &Manifests{Namespace: "shop"}
			var err error
			for i, file := range test.files {
				if err != nil {
					t.Fatalf("file %d: %v", i, err)
				}
				err = manifests.Read("file", strings.NewReader(file))
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %s", err, test.want)
			}
		})
	}
}
