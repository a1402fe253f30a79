package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// sdkLibrary is a library for a service that takes tokens, and the operations that a client must do with it, in order.
type sdkLibrary struct {
	client     string
	operations []string
}

// sdkOperation is a client's report of one operation.
type sdkOperation struct {
	Client, Version, Operation, Error string
	Milliseconds                      float64
}

// testLibraries uses the clients that have libraries for a service, checks what they printed, and returns a table of it. They run beside each
// other, because no time of theirs is compared.
func testLibraries(t *testing.T, service string, built []string, libraries map[string][]sdkLibrary,
	use func(t *testing.T, name string) []sdkOperation) libraryTable {
	used := slices.DeleteFunc(slices.Clone(built), func(name string) bool { return len(libraries[name]) == 0 })
	printed := make([][]sdkOperation, len(used))
	t.Run(service, func(t *testing.T) {
		for i, name := range used {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				printed[i] = use(t, name)
				checkOperations(t, libraries[name], printed[i])
			})
		}
	})
	var table libraryTable
	for i, name := range used {
		for _, library := range libraries[name] {
			table.add(library, printed[i])
		}
	}
	return table
}

// newLibraryPod returns a pod as a user writes it: with an image, two annotations and where the service is.
func (m *sdkMatrix) newLibraryPod(t *testing.T, name, argument string, where corev1.EnvVar) *corev1.Pod {
	t.Helper()
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.home, Name: name + "-" + argument, Annotations: map[string]string{
			v1alpha1.IdentityAnnotation: m.first.Name,
			v1alpha1.TrustAnnotation:    "true",
		}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			NodeSelector:  map[string]string{corev1.LabelHostname: m.nodes[1]},
			Volumes:       []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
			Containers: []corev1.Container{{
				Name: "client", Image: "kube-imds/sdk-" + name + ":" + m.version, Command: entrypoint(t, name), Args: []string{argument},
				Env:             []corev1.EnvVar{where},
				SecurityContext: restricted(), VolumeMounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/tmp"}},
			}},
		},
	}
}

// readOperations parses a client's output.
func readOperations(t *testing.T, printed string) []sdkOperation {
	t.Helper()
	var operations []sdkOperation
	for line := range strings.Lines(printed) {
		var read sdkOperation
		if json.Unmarshal([]byte(line), &read) == nil && read.Operation != "" {
			operations = append(operations, read)
		}
	}
	if len(operations) == 0 {
		t.Fatalf("the client printed no operations: %s", printed)
	}
	return operations
}

// checkOperations compares a client's operations with those that it must do. Each must have succeeded.
func checkOperations(t *testing.T, libraries []sdkLibrary, printed []sdkOperation) {
	t.Helper()
	var want, got []string
	for _, library := range libraries {
		for _, operation := range library.operations {
			want = append(want, library.client+": "+operation)
		}
	}
	for _, one := range printed {
		got = append(got, one.Client+": "+one.Operation)
		if one.Error != "" {
			t.Errorf("%s: %s: %s", one.Client, one.Operation, one.Error)
		}
	}
	if !slices.Equal(want, got) {
		t.Errorf("operations:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// libraryTable has a line for each library.
type libraryTable struct{ lines []string }

func (l *libraryTable) add(library sdkLibrary, printed []sdkOperation) {
	var version string
	var done []string
	for _, one := range printed {
		if one.Client != library.client {
			continue
		}
		version = one.Version
		if one.Error == "" {
			done = append(done, fmt.Sprintf("%s %.0f ms", one.Operation, one.Milliseconds))
		}
	}
	l.lines = append(l.lines, fmt.Sprintf("%s\t%s\t%d/%d\t%s", library.client, version, len(done), len(library.operations), strings.Join(done, ", ")))
}

// print prints the table, and writes it to a file unless its path is empty.
func (l *libraryTable) print(t *testing.T, path string) {
	t.Helper()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LIBRARY\tVERSION\tOPERATIONS\tEACH")
	for _, line := range l.lines {
		fmt.Fprintln(table, line)
	}
	must(t, table.Flush(), "print the table")
	t.Log("\n" + text.String())
	if path != "" {
		must(t, os.WriteFile(path, []byte(text.String()), 0o644), "write the table")
	}
}
