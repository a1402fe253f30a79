package issuer

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

func testTokenVerifies(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	pod := h.newPod(t, "verifies", "node-1")
	for resource, issuer := range map[string]string{
		vault + "/":                  oidcURL + "/" + tenant + "/v2.0",
		"https://storage.azure.com/": "https://sts.windows.net/" + tenant + "/",
	} {
		_, claims := i.verify(t, i.granted(t, pod, resource))
		life := claims["exp"].(float64) - claims["nbf"].(float64)
		if life != (time.Hour + 5*time.Minute).Seconds() {
			t.Errorf("token is valid for %v s", life)
		}
		for _, changing := range []string{"exp", "nbf", "iat", "uti"} {
			delete(claims, changing)
		}
		want := map[string]any{
			"aud": resource, "iss": issuer, "idp": issuer, "tid": tenant, "ver": "1.0", "idtyp": "app",
			"appid": string(h.identity.Status.ClientID), "appidacr": "2",
			"oid": string(h.identity.Status.PrincipalID), "sub": string(h.identity.Status.PrincipalID),
			"xms_az_rid": "/subscriptions/subscription/resourceGroups/group/providers/Microsoft.Compute/virtualMachines/" + pod.Name,
			"kubernetes.io": map[string]any{
				"namespace":      pod.Namespace,
				"node":           map[string]any{"name": "node-1", "uid": i.uidOfNode(t, "node-1")},
				"pod":            map[string]any{"name": pod.Name, "uid": string(pod.UID)},
				"serviceaccount": map[string]any{"name": h.account.Name, "uid": string(h.account.UID)},
			},
			"xms_mirid": "/subscriptions/subscription/resourcegroups/group/providers/Microsoft.ManagedIdentity/userAssignedIdentities/" + h.identity.Name,
		}
		if diff := cmp.Diff(want, map[string]any(claims)); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
	}
}

// A pod's first request is granted, although the pod and its ServiceAccount were created a moment ago.
func testNewPodIsServedAtOnce(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	i.granted(t, h.newPod(t, "first", "node-1"), vault)
	for range 20 {
		i.delete(t, h.account)
		h.account = &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: h.name, Name: h.account.Name}}
		i.create(t, h.account)
		pod := h.newPod(t, "next", "node-1")
		if a := i.ask(t, i.bearer(t, pod), vault); a.status != http.StatusOK {
			t.Errorf("first request of a new pod: got %d %s", a.status, a.body)
		}
		i.delete(t, pod)
	}
}

// A sidecar with a held request learns of a withdrawn grant at once, and gets no tokens afterwards.
func testWithdrawnGrantIsTold(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	bearer := i.bearer(t, h.newPod(t, "withdrawn", "node-1"))
	i.grantedTo(t, bearer, vault)
	known := i.get(t, bearer, issuerapi.GrantPath)
	held := i.waitForGrant(t, bearer, known)
	h.identity.Spec.AssumableBy = nil
	must(t, i.Update(t.Context(), h.identity), "withdraw the grant")
	withdrawn := <-held
	if revision := revisionOf(t, withdrawn); revision == "" || revision == revisionOf(t, known) {
		t.Errorf("revision after the withdrawal = %q", revision)
	}
	a := i.ask(t, bearer, vault)
	want := issuerapi.Error{Code: "invalid_request", Description: "Identity not found"}
	var refusal issuerapi.Error
	decode(t, []byte(a.body), &refusal)
	if a.status != http.StatusBadRequest || refusal != want {
		t.Errorf("after the withdrawal: got %d %s", a.status, a.body)
	}
}

func revisionOf(t *testing.T, a answer) string {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("grant: got %d %s", a.status, a.body)
	}
	var grant issuerapi.Grant
	decode(t, []byte(a.body), &grant)
	return grant.Revision
}

func testInstanceIsThePod(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	pod := h.newPod(t, "machine", "node-1")
	bearer := i.bearer(t, pod)
	var got issuerapi.Instance
	eventually(t, "the pod is known", func() error {
		a := i.get(t, bearer, issuerapi.InstancePath)
		if a.status != http.StatusOK {
			return fmt.Errorf("got %d %s", a.status, a.body)
		}
		return json.Unmarshal([]byte(a.body), &got)
	})
	want := issuerapi.Instance{
		Name: "machine", ComputerName: "machine", PlatformFaultDomain: "0", VMID: string(pod.UID), VMSize: "Standard_D2s_v5", Location: "westeurope", Zone: "1",
		AzureEnvironment: "AzurePublicCloud", SubscriptionID: "subscription", ResourceGroupName: "group",
		ResourceID: "/subscriptions/subscription/resourceGroups/group/providers/Microsoft.Compute/virtualMachines/machine",
		Tags:       tagsOf(pod),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("instance (-want +got):\n%s", diff)
	}
}

// tagsOf returns the pod's labels, including those that the API server adds.
func tagsOf(pod *corev1.Pod) []issuerapi.Tag {
	var tags []issuerapi.Tag
	for _, name := range slices.Sorted(maps.Keys(pod.Labels)) {
		tags = append(tags, issuerapi.Tag{Name: name, Value: pod.Labels[name]})
	}
	return tags
}
