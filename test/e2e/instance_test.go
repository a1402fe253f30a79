package e2e

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// instanceDocument is the tested part of /metadata/instance.
type instanceDocument struct {
	Compute struct {
		Name, VMID, Location, Zone, VMSize, Tags, UserData, CustomData string
		TagsList                                                       []struct{ Name, Value string }
		OSProfile                                                      struct{ ComputerName string }
	}
	Network struct {
		Interface []struct {
			MACAddress string
			IPv4       struct {
				IPAddress []struct{ PrivateIPAddress string }
				Subnet    []struct{ Address, Prefix string }
			}
		}
	}
}

// testInstanceIsThePod compares instance metadata with the pod and its node.
func testInstanceIsThePod(t *testing.T, c *cluster) {
	home := c.namespace(t)
	identity := c.identity(t, home+"-orders", home)
	probe := newProbePod(c, home, "instance", "wait").withIdentity(identity.Name)
	probe.Labels = map[string]string{"app": "orders", "tier": "front"}
	probe.Annotations["kube-imds.io/user-data"] = "greeting=hello"
	probe.Annotations["kube-imds.io/custom-data"] = "#cloud-config\n"
	pod := c.start(t, probe)
	var node corev1.Node
	must(t, c.Get(t.Context(), client.ObjectKey{Name: pod.Spec.NodeName}, &node), "get the pod's node")

	var got instanceDocument
	c.imdsJSON(t, pod, "/metadata/instance?api-version=2025-04-07", &got)
	for field, values := range map[string][2]string{
		"name":         {got.Compute.Name, pod.Name},
		"vmId":         {got.Compute.VMID, string(pod.UID)},
		"computerName": {got.Compute.OSProfile.ComputerName, pod.Name},
		"location":     {got.Compute.Location, locationOf(&node)},
		"zone":         {got.Compute.Zone, node.Labels[corev1.LabelTopologyZone]},
		"vmSize":       {got.Compute.VMSize, sizeOf(&node)},
		"tags":         {got.Compute.Tags, tagsOf(pod)},
		"userData":     {got.Compute.UserData, base64.StdEncoding.EncodeToString([]byte("greeting=hello"))},
		"customData":   {got.Compute.CustomData, base64.StdEncoding.EncodeToString([]byte("#cloud-config\n"))},
	} {
		if values[0] != values[1] {
			t.Errorf("%s = %q, want %q", field, values[0], values[1])
		}
	}
	checkNetwork(t, &got, pod)

	var info map[string]string
	c.imdsJSON(t, pod, "/metadata/identity/info?api-version=2018-02-01", &info)
	if diff := cmp.Diff(map[string]string{"tenantId": string(identity.Status.TenantID)}, info); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}
}

func checkNetwork(t *testing.T, got *instanceDocument, pod *corev1.Pod) {
	t.Helper()
	if len(got.Network.Interface) != 1 {
		t.Fatalf("got %d interfaces", len(got.Network.Interface))
	}
	device := got.Network.Interface[0]
	if !regexp.MustCompile(`^[0-9A-F]{12}$`).MatchString(device.MACAddress) {
		t.Errorf("macAddress = %q", device.MACAddress)
	}
	if len(device.IPv4.IPAddress) != 1 || device.IPv4.IPAddress[0].PrivateIPAddress != pod.Status.PodIP {
		t.Errorf("addresses = %v, want %s", device.IPv4.IPAddress, pod.Status.PodIP)
	}
	if len(device.IPv4.Subnet) != 1 {
		t.Fatalf("subnets = %v", device.IPv4.Subnet)
	}
	subnet, err := netip.ParsePrefix(device.IPv4.Subnet[0].Address + "/" + device.IPv4.Subnet[0].Prefix)
	must(t, err, "read the subnet")
	if !subnet.Contains(netip.MustParseAddr(pod.Status.PodIP)) || subnet.Masked() != subnet {
		t.Errorf("subnet %s does not contain %s", subnet, pod.Status.PodIP)
	}
}

// locationOf is the node's region, or the chart's default.
// sizeOf is the node's size, or the chart's default.
func sizeOf(node *corev1.Node) string {
	if size := node.Labels[corev1.LabelInstanceTypeStable]; size != "" {
		return size
	}
	return "Standard_D2s_v3"
}

func locationOf(node *corev1.Node) string {
	if region := node.Labels[corev1.LabelTopologyRegion]; region != "" {
		return region
	}
	return "local"
}

// tagsOf returns the pod's labels, including those that the API server adds.
func tagsOf(pod *corev1.Pod) string {
	var tags []string
	for _, name := range slices.Sorted(maps.Keys(pod.Labels)) {
		tags = append(tags, name+":"+pod.Labels[name])
	}
	return strings.Join(tags, ";")
}

// imdsJSON gets a document from IMDS in the pod.
func (c *cluster) imdsJSON(t *testing.T, pod *corev1.Pod, target string, into any) {
	t.Helper()
	a, err := c.get(t.Context(), pod, "--header", "Metadata: true", "http://169.254.169.254"+target)
	must(t, err, "get %s", target)
	if a.Status != 200 {
		t.Fatalf("get %s: %+v", target, a)
	}
	must(t, json.Unmarshal([]byte(a.Body), into), "read %s", target)
}
