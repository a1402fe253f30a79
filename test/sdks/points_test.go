// Package sdks lists what a server of IMDS must do for the clients there are, and which test holds it to each: the numbered
// list that ends clients.md. The clients themselves are in the folder clients; test/e2e runs them in pods.
package sdks

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the repository's.
const root = "../.."

// points are the numbers of the list, and the tests that hold them. Those of test/e2e see the published SDKs send it.
var points = map[int][]string{
	1:  {"internal/imds TestPoints1And2And3And9ProbesWithoutTheHeader", "test/e2e TestSDKMatrix"},
	2:  {"internal/imds TestPoints1And2And3And9ProbesWithoutTheHeader"},
	3:  {"internal/imds TestPoints1And2And3And9ProbesWithoutTheHeader", "test/e2e TestSDKMatrix"},
	4:  {"internal/imds TestPoint4NewerIdentityPathsDoNotExist"},
	5:  {"internal/imds TestPoint5VersionsOfTokens", "test/e2e TestSDKMatrix"},
	6:  {"internal/imds TestPoints6To10Selectors", "test/e2e TestSDKMatrix"},
	7:  {"internal/imds TestPoints6To10Selectors", "internal/imds TestPoint7AppServiceAcceptsEverySpellingOfAnID"},
	8:  {"internal/imds TestPoints6To10Selectors", "test/e2e TestSDKMatrix"},
	9:  {"internal/imds TestPoints1And2And3And9ProbesWithoutTheHeader", "internal/imds TestPoints6To10Selectors"},
	10: {"internal/imds TestPoints6To10Selectors", "test/e2e TestSDKMatrix"},
	11: {"internal/imds TestPoint11PathsAsClientsWriteThem"},
	12: {"cmd/kubectl-imds TestPoint12NETIsToldWhichCredentialToUse"},
	13: {"internal/imds TestPoints13To18FieldsOfATokenAnswer", "test/e2e TestSDKMatrix"},
	14: {"internal/imds TestPoints13To18FieldsOfATokenAnswer", "test/e2e TestSDKMatrix"},
	15: {"internal/imds TestPoints13To18FieldsOfATokenAnswer", "test/e2e TestSDKMatrix"},
	16: {"internal/imds TestPoints16And28And30ResourceToTheByte", "test/e2e TestSDKMatrix"},
	17: {"internal/imds TestPoints13To18FieldsOfATokenAnswer", "test/e2e TestSDKMatrix"},
	18: {"internal/imds TestPoints13To18FieldsOfATokenAnswer"},
	19: {"internal/sidecar/tokencache TestPoint19ServedTokensHaveMoreThanFiveMinutesLeft", "test/e2e TestSDKMatrix"},
	20: {"internal/imds TestPoints20To26Errors"},
	21: {"internal/imds TestPoints20To26Errors"},
	22: {"internal/imds TestPoints20To26Errors"},
	23: {"internal/imds TestPoints20To26Errors"},
	24: {"cmd/sidecar TestPoint24ReadyWhenTheIssuerAnsweredOrTimeIsUp", "test/e2e TestSDKMatrix"},
	25: {"internal/imds TestPoints1And2And3And9ProbesWithoutTheHeader", "internal/imds TestPoints20To26Errors"},
	26: {"internal/imds TestPoints20To26Errors"},
	27: {"internal/imds TestPoint27ProbesAreNotLimited", "internal/imds TestPoint27ProbesAreNotLimitedByAzureLimits"},
	28: {"internal/imds TestPoints16And28And30ResourceToTheByte", "test/e2e TestSDKMatrix"},
	29: {"internal/imds TestPoint29HeadersOfClients", "test/e2e TestSDKMatrix"},
	30: {"internal/imds TestPoints16And28And30ResourceToTheByte", "test/e2e TestSDKMatrix"},
	31: {"internal/imds TestPoints31And35SilentAndSlowConnections"},
	32: {"internal/imds TestPoint32RegionDiscovery"},
	33: {"internal/token TestPoint33TokenIsAJWTWithItsTenant", "test/e2e TestSDKMatrix"},
	34: {"internal/imds TestPoint34AppServiceAnswersWithTheSecret", "internal/imds TestPoint34AppServiceRefusesWithoutTheSecret"},
	35: {"internal/imds TestPoints31And35SilentAndSlowConnections"},
}

// lastPoint is how many points the list has.
const lastPoint = 35

func TestEveryPointIsHeldByATest(t *testing.T) {
	t.Parallel()
	for number := 1; number <= lastPoint; number++ {
		if len(points[number]) == 0 {
			t.Errorf("point %d is held by no test", number)
		}
		for _, held := range points[number] {
			folder, name, _ := strings.Cut(held, " ")
			if !slices.Contains(testsIn(t, folder), name) {
				t.Errorf("point %d: there is no test %s in %s", number, name, folder)
			}
		}
	}
	if len(points) != lastPoint {
		t.Errorf("there are %d points", len(points))
	}
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
