package exposure

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestContainersOfAnsweringNodesAreExposed(t *testing.T) {
	t.Parallel()
	orders, payments := Raw{"shop", "orders", "one", "app", whyKept}, Raw{"shop", "payments", "two", "app", whyAdded}
	report := Report{
		Nodes: []Node{{Name: "one", Answers: true}, {Name: "two", Why: "connection refused"}},
		Raw:   []Raw{orders, payments},
	}
	if diff := cmp.Diff([]Raw{orders}, report.Exposed()); diff != "" {
		t.Errorf("exposed containers (-want +got):\n%s", diff)
	}
	printed := new(strings.Builder)
	if err := report.Print(printed); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"answers pods": true, "does not answer pods: connection refused": true, "orders": true, whyKept: true, "payments": false,
	} {
		if got := strings.Contains(printed.String(), text); got != want {
			t.Errorf("prints %q: %t\n%s", text, got, printed)
		}
	}
}
