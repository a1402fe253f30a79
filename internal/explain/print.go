package explain

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/kube-imds/kube-imds/internal/grant"
)

// sources describes the sources for people.
var sources = map[grant.Source]string{
	grant.SourcePodAnnotation:            "the pod's annotation kube-imds.io/identity",
	grant.SourceServiceAccountAnnotation: "the ServiceAccount's annotation kube-imds.io/identity",
	grant.SourceBinding:                  "IdentityBindings",
	grant.SourceWorkloadIdentity:         "the ServiceAccount's annotation azure.workload.identity/client-id",
	grant.SourceNone:                     "nothing",
}

// Print writes the explanation for people.
func (e *Explanation) Print(output io.Writer) error {
	facts := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	fmt.Fprintf(facts, "%s\t%s/%s\n", e.Kind, e.Namespace, e.Name)
	fmt.Fprintf(facts, "ServiceAccount\t%s\n", e.ServiceAccount)
	fmt.Fprintf(facts, "IMDS\t%s\n", e.Injection)
	if e.Source != "" {
		fmt.Fprintf(facts, "Identities by\t%s\n", sources[e.Source])
	}
	fmt.Fprintf(facts, "Default\t%s\n", cmp.Or(e.Default, "none"))
	if err := facts.Flush(); err != nil {
		return fmt.Errorf("print the explanation: %w", err)
	}
	identities := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	fmt.Fprintln(identities, "\nIDENTITY\tGRANTED\tCLIENT ID OR REASON")
	for _, granted := range e.Granted {
		fmt.Fprintf(identities, "%s\tyes\t%s\n", granted.Identity, granted.ClientID)
	}
	for _, refused := range e.Refused {
		fmt.Fprintf(identities, "%s\tno\t%s: %s\n", cmp.Or(refused.Identity, "-"), refused.Reason, refused.Message)
	}
	if err := identities.Flush(); err != nil {
		return fmt.Errorf("print the explanation: %w", err)
	}
	for _, hint := range e.Hints {
		fmt.Fprintf(output, "\nHint: %s\n", hint)
	}
	return nil
}

// String says for people whether pods get IMDS, and why.
func (i Injection) String() string {
	switch {
	case i.Injected != nil && *i.Injected:
		return "injected"
	case i.Injected != nil:
		return "not injected; for a new pod: " + i.newPods()
	}
	return i.newPods()
}

func (i Injection) newPods() string {
	if i.Asked {
		return "yes, " + i.Reason
	}
	return "no, " + i.Reason
}
