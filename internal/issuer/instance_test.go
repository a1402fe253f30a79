package issuer

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

var someDefaults = machine.Defaults{SubscriptionID: "default-subscription", ResourceGroup: "default-group", Location: "default-place", VMSize: "default-size", Environment: "AzureChinaCloud"}

// bareInstance returns the instance metadata of a new world's pod.
func bareInstance() issuerapi.Instance {
	return issuerapi.Instance{
		Name: "orders-0", ComputerName: "orders-0", PlatformFaultDomain: "0", VMID: "pod-uid", Location: "default-place", VMSize: "default-size", AzureEnvironment: "AzureChinaCloud",
		SubscriptionID: "default-subscription", ResourceGroupName: "default-group",
		ResourceID: "/subscriptions/default-subscription/resourceGroups/default-group/providers/Microsoft.Compute/virtualMachines/orders-0",
		Tags:       []issuerapi.Tag{},
	}
}

func TestDescribeInstance(t *testing.T) {
	t.Parallel()
	at := func(subscription, group string) func(*issuerapi.Instance) {
		return func(i *issuerapi.Instance) {
			i.SubscriptionID, i.ResourceGroupName = subscription, group
			i.ResourceID = "/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/Microsoft.Compute/virtualMachines/orders-0"
		}
	}
	inAzure := func(region, zone string) func(*world) {
		return func(w *world) {
			w.node.Spec.ProviderID = "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"
			w.node.Labels = map[string]string{"topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone}
		}
	}
	same := func(*issuerapi.Instance) {}
	on := func(providerID string) func(*world) {
		return func(w *world) { w.node.Spec.ProviderID = providerID }
	}
	for name, test := range map[string]struct {
		given func(*world)
		want  func(*issuerapi.Instance)
	}{
		"node without labels": {func(*world) {}, same},
		"node's labels": {func(w *world) {
			w.node.Labels = map[string]string{
				"node.kubernetes.io/instance-type": "Standard_D2s_v5", "topology.kubernetes.io/region": "westeurope", "topology.kubernetes.io/zone": "westeurope-1",
			}
		}, func(i *issuerapi.Instance) {
			i.VMSize, i.Location, i.Zone = "Standard_D2s_v5", "westeurope", "westeurope-1"
		}},
		"Azure virtual machine": {on("azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"), at("s", "g")},
		"Azure scale set": {on("azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/x/virtualMachines/0"), func(i *issuerapi.Instance) {
			at("s", "g")(i)
			i.VMScaleSetName = "x"
			i.VMScaleSetID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/x"
		}},
		"Azure zone": {inAzure("westeurope", "westeurope-2"), func(i *issuerapi.Instance) {
			at("s", "g")(i)
			i.Location, i.Zone = "westeurope", "2"
		}},
		"Azure without zone": {inAzure("westeurope", "1"), func(i *issuerapi.Instance) {
			at("s", "g")(i)
			i.Location, i.PlatformFaultDomain = "westeurope", "1"
		}},
		"Azure ID in lower case":    {on("azure:///subscriptions/s/resourcegroups/g/providers/x"), at("s", "g")},
		"Azure ID without group":    {on("azure:///subscriptions/s"), same},
		"Azure ID with empty parts": {on("azure:///subscriptions//resourceGroups//providers"), same},
		"Azure ID with other parts": {on("azure:///tenants/s/resourceGroups/g"), same},
		"another cloud":             {on("aws:///eu-west-1a/i-0123"), same},
		"kind":                      {on("kind://docker/kind/kind-control-plane"), same},
		"labels as sorted tags": {withPod(func(p *corev1.Pod) { p.Labels = map[string]string{"b": "2", "a": "1", "c": ""} }), func(i *issuerapi.Instance) {
			i.Tags = []issuerapi.Tag{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}, {Name: "c", Value: ""}}
		}},
		"own hostname": {withPod(func(p *corev1.Pod) { p.Spec.Hostname = "orders" }), func(i *issuerapi.Instance) {
			i.ComputerName = "orders"
		}},
		"name too long for a hostname": {withPod(func(p *corev1.Pod) { p.Name = strings.Repeat("a", 62) + "-bc" }), func(i *issuerapi.Instance) {
			i.Name, i.ComputerName = strings.Repeat("a", 62)+"-bc", strings.Repeat("a", 62)
			i.ResourceID = strings.TrimSuffix(i.ResourceID, "orders-0") + i.Name
		}},
		"data in annotations": {withPod(func(p *corev1.Pod) {
			p.Annotations = map[string]string{"kube-imds.io/user-data": "greeting=hello", "kube-imds.io/custom-data": "#cloud-config"}
		}), func(i *issuerapi.Instance) { i.UserData, i.CustomData = "greeting=hello", "#cloud-config" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, want := newWorld(test.given), bareInstance()
			test.want(&want)
			if diff := cmp.Diff(want, DescribeInstance(w.pod, w.node, someDefaults)); diff != "" {
				t.Errorf("instance (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInstanceIsAnswered(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		recorder := s.ask(s.request(ordersPod().sign(t), http.MethodGet, issuerapi.InstancePath, ""))
		wantStatus(t, recorder, http.StatusOK)
		var got issuerapi.Instance
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(bareInstance(), got); diff != "" {
			t.Errorf("instance (-want +got):\n%s", diff)
		}
	})
}

func TestInstanceIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		world *world
		who   func(*podToken)
		want  int
	}{
		"unauthenticated":    {newWorld(), func(p *podToken) { p.audience = "other" }, http.StatusUnauthorized},
		"another node's pod": {newWorld(), func(p *podToken) { p.node = "node-2" }, http.StatusForbidden},
		"no Node":            {newWorld(func(w *world) { w.node = nil }), func(*podToken) {}, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, test.world, func(s *stage) {
				who := ordersPod()
				test.who(&who)
				wantStatus(t, s.ask(s.request(who.sign(t), http.MethodGet, issuerapi.InstancePath, "")), test.want)
			})
		})
	}
}
