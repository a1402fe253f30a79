package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// testTokensVerifyOnBothNodes gets tokens with the Azure SDK on each node, and verifies them like a resource server in
// the cluster.
func testTokensVerifyOnBothNodes(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-orders", home)
	for _, node := range c.nodes {
		for _, credential := range []string{"ManagedIdentityCredential", "DefaultAzureCredential"} {
			t.Run(node+"/"+credential, func(t *testing.T) {
				t.Parallel()
				name := strings.ToLower(credential)
				pod := c.start(t, newProbePod(c, home, name+"-"+node, "wait").
					withIdentity(identity.Name).onNode(node).trusting(c.authorities(t)))
				var flags []string
				if credential == "DefaultAzureCredential" {
					flags = append(flags, "--default-credential")
				}
				for _, resource := range []string{"https://vault.azure.net", "https://servicebus.azure.net/"} {
					claims := c.verify(t, pod, c.token(t, pod, resource, flags...))
					checkClaims(t, claims, identity, resource)
					checkPod(t, claims, pod, c.machine(t, pod))
				}
			})
		}
	}
}

// checkClaims compares the claims with those of a managed identity (tokens.md section 1).
func checkClaims(t *testing.T, claims jwt.MapClaims, identity *v1alpha1.ManagedIdentity, resource string) {
	t.Helper()
	status := identity.Status
	want := map[string]any{
		"aud":       resource,
		"iss":       issuerOf(identity, resource),
		"tid":       string(status.TenantID),
		"oid":       string(status.PrincipalID),
		"sub":       string(status.PrincipalID),
		"appid":     string(status.ClientID),
		"xms_mirid": status.ResourceID,
	}
	got := map[string]any{}
	for name := range want {
		got[name] = claims[name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	expiry, err := claims.GetExpirationTime()
	must(t, err, "read exp")
	left := time.Until(expiry.Time)
	if lifetime := identity.Spec.TokenLifetime.Duration; left <= 5*time.Minute || left > lifetime {
		t.Errorf("remaining validity = %s, want between 5m and %s", left, lifetime)
	}
}

// machine returns the pod's resource ID in instance metadata.
func (c *cluster) machine(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	var compute struct {
		ResourceID string `json:"resourceId"`
	}
	c.imdsJSON(t, pod, "/metadata/instance/compute?api-version=2021-02-01", &compute)
	return compute.ResourceID
}

// checkPod checks that a token names the pod: the machine of instance metadata, and the pod in the form of
// Kubernetes' own tokens.
func checkPod(t *testing.T, claims jwt.MapClaims, pod *corev1.Pod, machine string) {
	t.Helper()
	if machine == "" || claims["xms_az_rid"] != machine {
		t.Errorf("xms_az_rid = %v, instance metadata has %q", claims["xms_az_rid"], machine)
	}
	workload, _ := claims["kubernetes.io"].(map[string]any)
	named, _ := workload["pod"].(map[string]any)
	node, _ := workload["node"].(map[string]any)
	if workload["namespace"] != pod.Namespace || named["name"] != pod.Name || named["uid"] != string(pod.UID) || node["name"] != pod.Spec.NodeName {
		t.Errorf("workload = %v", workload)
	}
}

// issuerOf returns the issuer in a token for the resource with the chart's defaults: Entra ID's for Storage, whose
// validators accept no other.
func issuerOf(identity *v1alpha1.ManagedIdentity, resource string) string {
	if strings.TrimSuffix(resource, "/") == "https://storage.azure.com" {
		return fmt.Sprintf("https://sts.windows.net/%s/", identity.Status.TenantID)
	}
	return fmt.Sprintf("%s/%s/v2.0", oidcURL, identity.Status.TenantID)
}

// verify verifies a token against the JWKS of its discovery document, both fetched from inside the cluster, and returns
// its claims.
func (c *cluster) verify(t *testing.T, pod *corev1.Pod, token string) jwt.MapClaims {
	t.Helper()
	unverified, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	must(t, err, "read the token")
	issuer, err := unverified.Claims.GetIssuer()
	must(t, err, "read iss")
	var discovery struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	c.getJSON(t, pod, issuer+"/.well-known/openid-configuration", &discovery)
	if discovery.Issuer != issuer {
		t.Fatalf("issuer in the discovery document of %s = %s", issuer, discovery.Issuer)
	}
	return verifyBy(t, c.jwks(t, pod, discovery.JWKSURI), token)
}

// verifyBy verifies a token by its issuer's keys, and returns its claims.
func verifyBy(t *testing.T, keys *jose.JSONWebKeySet, token string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(token *jwt.Token) (any, error) {
		id, _ := token.Header["kid"].(string)
		found := keys.Key(id)
		if len(found) != 1 {
			return nil, fmt.Errorf("the JWKS has %d keys with the ID %s", len(found), id)
		}
		return found[0].Key, nil
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired())
	must(t, err, "verify the token")
	return claims
}

func (c *cluster) jwks(t *testing.T, pod *corev1.Pod, url string) *jose.JSONWebKeySet {
	t.Helper()
	var keys jose.JSONWebKeySet
	c.getJSON(t, pod, url, &keys)
	return &keys
}

// getJSON fetches a document from inside the pod. It must exist, because the servers are ready.
func (c *cluster) getJSON(t *testing.T, pod *corev1.Pod, url string, into any) {
	t.Helper()
	a, err := c.get(t.Context(), pod, url)
	must(t, err, "get %s", url)
	if a.Status != 200 {
		t.Fatalf("get %s: %+v", url, a)
	}
	must(t, json.Unmarshal([]byte(a.Body), into), "read %s", url)
}

// granted waits until IMDS in the pod serves a token for the resource.
func (c *cluster) granted(t *testing.T, pod *corev1.Pod, resource string) {
	t.Helper()
	eventually(t, 2*time.Minute, "a token for "+resource+" is granted", func(ctx context.Context) error {
		a, err := c.askIMDS(ctx, pod, resource)
		if err == nil && a.Status != 200 {
			err = fmt.Errorf("got %+v", a)
		}
		return err
	})
}
