package explain

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sigs.k8s.io/yaml"
)

// Print writes the explanation for people.
func (a *Access) Print(output io.Writer) error {
	facts := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	fmt.Fprintf(facts, "Key Vault\t%s/%s\n", a.Namespace, a.Vault)
	fmt.Fprintf(facts, "Identity\t%s, principal %s\n", a.Identity, a.PrincipalID)
	if a.Object != "" {
		fmt.Fprintf(facts, "Object\t%s\n", a.Object)
	}
	if a.Allowed == nil {
		fmt.Fprintf(facts, "May\t%s\n", a.may())
	} else {
		fmt.Fprintf(facts, "Action\t%s\n", a.Action)
		fmt.Fprintf(facts, "Allowed\t%s\n", map[bool]string{true: "yes", false: "no"}[*a.Allowed])
	}
	if err := facts.Flush(); err != nil {
		return fmt.Errorf("print the explanation: %w", err)
	}
	if err := a.printAssignments(output); err != nil {
		return err
	}
	if a.Create != nil {
		manifest, err := yaml.Marshal(a.Create)
		if err != nil {
			return fmt.Errorf("print the RoleAssignment: %w", err)
		}
		fmt.Fprintf(output, "\nThis would allow it:\n\n%s", manifest)
	}
	for _, hint := range a.Hints {
		fmt.Fprintf(output, "\nHint: %s\n", hint)
	}
	return nil
}

func (a *Access) may() string {
	if len(a.Operations) == 0 {
		return "nothing"
	}
	return strings.Join(a.Operations, ", ")
}

func (a *Access) printAssignments(output io.Writer) error {
	if len(a.Assignments) == 0 {
		fmt.Fprintln(output, "\nNo RoleAssignment comes close.")
		return nil
	}
	table := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\nASSIGNMENT\tPRINCIPAL\tROLE\tSCOPE\tALLOWS IT")
	for _, one := range a.Assignments {
		allows := "yes"
		if one.Not != "" {
			allows = "no: " + one.Not
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", one.Name, one.Principal, one.Role, one.Scope, allows)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the explanation: %w", err)
	}
	return nil
}
