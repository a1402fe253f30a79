package chart

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

// Every right has a reason in docs/rbac.md, and the table has no others.
func TestRulesHaveReasons(t *testing.T) {
	t.Parallel()
	rendered := render(t, federated, "keyVault.enabled=true", "storage.enabled=true", "apis.enabled=true")
	given := map[string]bool{}
	for kind, scope := range map[string]string{"ClusterRole": "cluster", "Role": "release"} {
		for _, role := range rendered.ofKind(kind) {
			part := strings.TrimPrefix(role.GetName(), release+"-")
			for _, rule := range as[rbacv1.Role](t, role).Rules {
				given[ruleRow(part, scope, rule)] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(rulesOf(t, "../../docs/rbac.md"))), slices.Sorted(maps.Keys(given))); diff != "" {
		t.Error("the rules of docs/rbac.md are not those of the chart (-docs +chart)\n", diff)
	}
}

// ruleRow returns a rule as a row of the table, without its reason.
func ruleRow(part, scope string, rule rbacv1.PolicyRule) string {
	groups := slices.Clone(rule.APIGroups)
	for i, group := range groups {
		if group == "" {
			groups[i] = "core"
		}
	}
	if len(groups) == 0 {
		groups = []string{"none"}
	}
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{"any"}
	}
	resources := slices.Concat(rule.Resources, rule.NonResourceURLs)
	var cells []string
	for _, items := range [][]string{{part}, {scope}, groups, resources, names, rule.Verbs} {
		cells = append(cells, strings.Join(items, ", "))
	}
	return strings.Join(cells, " | ")
}

// rulesOf returns the rows of the table without their reasons. Every row must have one.
func rulesOf(t *testing.T, path string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		row, ok := strings.CutPrefix(strings.TrimSpace(line), "| ")
		if !ok || strings.HasPrefix(row, "---") || strings.HasPrefix(row, "part |") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(row, " |"), " | ")
		if len(cells) != 7 || strings.TrimSpace(cells[6]) == "" {
			t.Errorf("a row has no reason: %s", row)
			continue
		}
		rows[strings.Join(cells[:6], " | ")] = true
	}
	return rows
}
