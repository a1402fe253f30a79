package process

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/internal/install"
)

func TestCommand(t *testing.T) {
	for name, test := range map[string]struct {
		namespace string
		args      []string
		refused   string
	}{
		"the namespace of the pod": {namespace: "kube-imds-system"},
		"a namespace":              {args: []string{"--namespace=kube-imds-system"}},
		"no namespace":             {refused: "--namespace is needed; in a pod, set POD_NAMESPACE"},
		"an unknown level":         {args: []string{"--namespace=kube-imds-system", "--log-level=loud"}, refused: "--log-level"},
		"an argument":              {args: []string{"start"}, refused: `unknown command "start"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(install.PodNamespace, test.namespace)
			var f Flags
			ran := false
			command := f.Command(install.OIDC, "A part", "1.2.3", func(context.Context) error {
				ran = true
				return nil
			})
			command.SetArgs(test.args)
			err := command.ExecuteContext(t.Context())
			switch {
			case test.refused == "" && (err != nil || f.Names.Namespace != "kube-imds-system"):
				t.Errorf("got error %v, namespace %q", err, f.Names.Namespace)
			case test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused)):
				t.Errorf("got error %v, want %q", err, test.refused)
			}
			if ran != (test.refused == "") {
				t.Errorf("it ran: %t", ran)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string][]string{
		"--help":    {"A part", "--name name", "--namespace", "--metrics-address", ":8080", "--health-address", ":8081", "--log-level"},
		"--version": {"1.2.3"},
	} {
		var f Flags
		command := f.Command(install.OIDC, "A part", "1.2.3", func(context.Context) error { return nil })
		var output bytes.Buffer
		command.SetOut(&output)
		command.SetArgs([]string{flag})
		if err := command.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(output.String(), text) {
				t.Errorf("%s does not print %q:\n%s", flag, text, output.String())
			}
		}
	}
}

func TestWhile(t *testing.T) {
	t.Parallel()
	ready := false
	check := While(func() bool { return ready })
	if check(nil) == nil {
		t.Error("it passes before it is ready")
	}
	ready = true
	if err := check(nil); err != nil {
		t.Errorf("it fails with %v once it is ready", err)
	}
}
