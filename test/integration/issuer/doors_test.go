package issuer

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// A stolen token is useless at another address, and the audit log names that address.
func testTokenIsOfNoUseElsewhere(t *testing.T, i *issuerProcess) {
	pod := i.newHome(t).newPod(t, "victim", "node-1")
	bearer := i.bearer(t, pod)
	i.grantedTo(t, bearer, vault)

	const thief = "127.0.0.8"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+issuerHost+issuerapi.TokenPath,
		strings.NewReader(`{"resource":"`+vault+`"}`))
	must(t, err, "make a request")
	request.Header.Set("Authorization", "Bearer "+bearer)
	response, err := i.clientAt(thief).Do(request)
	must(t, err, "ask from another address")
	_ = response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("stolen token: got %s", response.Status)
	}
	eventually(t, "the audit log says who tried", func() error {
		for line := range strings.Lines(i.log.String()) {
			if strings.Contains(line, `"reason":"OtherAddress"`) && strings.Contains(line, `"source":"`+thief+`"`) &&
				strings.Contains(line, string(pod.UID)) {
				return nil
			}
		}
		return fmt.Errorf("log = %q", i.log)
	})
}

// A user who may create tokens of a ServiceAccount gets them for a day, and the issuer refuses those.
func testLongTokenIsRefused(t *testing.T, i *issuerProcess) {
	pod := i.newHome(t).newPod(t, "long", "node-1")
	i.refused(t, i.tokenFor(t, pod, toPod(pod).forIssuer(), 24*3600), http.StatusUnauthorized)

	var claims jwt.RegisteredClaims
	_, _, err := jwt.NewParser().ParseUnverified(i.bearer(t, pod), &claims)
	must(t, err, "read a token")
	if life := claims.ExpiresAt.Sub(claims.IssuedAt.Time); life != issuerapi.TokenSeconds*time.Second {
		t.Errorf("the API server issues tokens for %s", life)
	}
}

// testHugeObjectsAreNotKept gives ServiceAccounts a megabyte of labels each, as a namespace's editor can: an issuer that
// starts then has to read them all.
func testHugeObjectsAreNotKept(t *testing.T, c *cluster) {
	for _, name := range []string{"quiet", "flooded"} {
		c.create(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	quiet := c.startIssuer(t, "quiet")
	before := quiet.memory(t)
	quiet.end(t)
	const accounts, labels = 60, 8000
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "huge-"}}
	c.create(t, namespace)
	for i := range accounts {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace.Name, Name: fmt.Sprintf("account-%d", i), Labels: map[string]string{},
		}}
		for j := range labels {
			account.Labels[fmt.Sprintf("%d.example.com/%s", j, strings.Repeat("a", 63))] = strings.Repeat("b", 63)
		}
		c.create(t, account)
	}
	flooded := c.startIssuer(t, "flooded")
	after := flooded.memory(t)
	t.Logf("with %d ServiceAccounts of a megabyte the issuer's memory is at most %d MiB, and %d MiB without", accounts, after>>20, before>>20)
	if after > before+accounts<<20 {
		t.Errorf("the issuer's memory grows from %d to %d MiB", before>>20, after>>20)
	}
}

// memory returns the issuer's peak memory in bytes.
func (i *issuerProcess) memory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.command.Process.Pid))
	must(t, err, "read the issuer's memory")
	for line := range bytes.Lines(status) {
		if value, found := strings.CutPrefix(string(line), "VmHWM:"); found {
			kilobytes, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			must(t, err, "read the issuer's memory")
			return kilobytes << 10
		}
	}
	t.Fatal("the process's status has no VmHWM")
	return 0
}
