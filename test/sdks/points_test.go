// Package sdks lists what clients need from IMDS, and the tests of each point: the numbered list at the end of clients.md. The clients
// themselves are in the folder clients; test/e2e runs them in pods.
package sdks

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/test/conformance/suite"
)

// root is the repository's root.
const root = "../.."

// points maps the numbers of the list to their tests: "FOLDER TEST", or "test/conformance CASE". Those of test/e2e run published SDKs.
var points = map[int][]string{
	1:  {"test/conformance identity/token/no-header", "test/conformance identity/token/no-header/bare-path", "test/conformance identity/token/probe/go", "test/e2e TestSDKMatrix"},
	2:  {"test/conformance identity/token/probe/client-id"},
	3:  {"test/conformance identity/token/probe/dotnet", "test/e2e TestSDKMatrix"},
	4:  {"test/conformance paths/getplatformmetadata", "test/conformance paths/getplatformmetadata/no-header", "test/conformance paths/issuecredential", "test/conformance paths/issuecredential/no-header"},
	5:  {"test/conformance identity/token/api-version/2018-02-01", "test/conformance identity/token/api-version/2019-08-01", "test/e2e TestSDKMatrix"},
	6:  {"internal/imds TestPoints6To10Selectors", "test/e2e TestSDKMatrix"},
	7:  {"internal/imds TestPoints6To10Selectors", "internal/imds TestPoint7AppServiceAcceptsEverySpellingOfAnID"},
	8:  {"internal/imds TestPoints6To10Selectors", "test/e2e TestSDKMatrix"},
	9:  {"test/conformance identity/token/probe/dotnet", "internal/imds TestPoints6To10Selectors"},
	10: {"internal/imds TestPoints6To10Selectors", "test/e2e TestSDKMatrix"},
	11: {"test/conformance paths/trailing-slash/token", "test/conformance paths/doubled-slashes/token"},
	12: {"cmd/kubectl-imds TestPoint12InstructionsNameTheCredentialForNET"},
	13: {"test/conformance identity/token/fields", "test/e2e TestSDKMatrix"},
	14: {"test/conformance identity/token/digits", "test/e2e TestSDKMatrix"},
	15: {"test/conformance identity/token/digits", "test/e2e TestSDKMatrix"},
	16: {"internal/imds TestPoints16And28And30ResourceToTheByte", "test/e2e TestSDKMatrix"},
	17: {"test/conformance identity/token/bearer", "test/conformance identity/token/resource", "test/e2e TestSDKMatrix"},
	18: {"test/conformance identity/token/no-refresh-token"},
	19: {"internal/sidecar/tokencache TestPoint19ServedTokensHaveMoreThanFiveMinutesLeft", "test/e2e TestSDKMatrix"},
	20: {"internal/imds TestPoints20To26Errors"},
	21: {"internal/imds TestPoints20To26Errors"},
	22: {"internal/imds TestPoints20To26Errors"},
	23: {"internal/imds TestPoints20To26Errors"},
	24: {"cmd/sidecar TestPoint24ReadyWhenTheIssuerAnsweredOrTimeIsUp", "test/e2e TestSDKMatrix"},
	25: {"test/conformance identity/token/no-header", "internal/imds TestPoints20To26Errors"},
	26: {"internal/imds TestPoints20To26Errors"},
	27: {"internal/imds TestPoint27ProbesAreNotLimited", "internal/imds TestPoint27ProbesAreNotLimitedByAzureLimits"},
	28: {"internal/imds TestPoints16And28And30ResourceToTheByte", "test/e2e TestSDKMatrix"},
	29: {"test/conformance headers/metadata-in-lower-case", "test/conformance headers/content-type-on-get", "test/conformance headers/content-length-0-on-get", "test/e2e TestSDKMatrix"},
	30: {"internal/imds TestPoints16And28And30ResourceToTheByte", "test/e2e TestSDKMatrix"},
	31: {"internal/imds TestPoints31And35SilentAndSlowConnections"},
	32: {"test/conformance instance/compute"},
	33: {"internal/token TestPoint33TokenIsAJWTWithItsTenant", "test/e2e TestSDKMatrix"},
	34: {"internal/imds TestPoint34AppServiceAnswersWithTheSecret", "internal/imds TestPoint34AppServiceRefusesWithoutTheSecret"},
	35: {"internal/imds TestPoints31And35SilentAndSlowConnections"},
}

// lastPoint is the number of points.
const lastPoint = 35

func TestEveryPointHasATest(t *testing.T) {
	t.Parallel()
	for number := 1; number <= lastPoint; number++ {
		if len(points[number]) == 0 {
			t.Errorf("point %d has no test", number)
		}
		for _, held := range points[number] {
			folder, name, _ := strings.Cut(held, " ")
			if folder == conformance && isCase(name) {
				continue
			}
			if !slices.Contains(testsIn(t, folder), name) {
				t.Errorf("point %d: there is no test %s in %s", number, name, folder)
			}
		}
	}
	if len(points) != lastPoint {
		t.Errorf("got %d points", len(points))
	}
}

// conformance is the folder of the conformance suite.
const conformance = "test/conformance"

func isCase(name string) bool {
	return slices.ContainsFunc(suite.Cases(), func(one suite.Case) bool { return one.Name == name })
}

// testsIn returns the names of the tests in a folder.
func testsIn(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && strings.HasPrefix(function.Name.Name, "Test") {
				names = append(names, function.Name.Name)
			}
		}
	}
	return names
}
