package main

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

const ordersPod = `---
apiVersion: v1
kind: Pod
metadata:
  name: orders-0
  namespace: shop
  labels: {app: orders}
  annotations:
    kube-imds.io/identity: orders
    kube-imds.io/user-data: greeting=hello
spec:
  serviceAccountName: orders
  nodeName: worker-1
  containers:
  - name: app
    image: app
    ports: [{name: web, containerPort: 8080}]
status:
  podIPs: [{ip: 10.1.2.3}, {ip: "fd00::3"}]
`

const worker = `---
apiVersion: v1
kind: Node
metadata:
  name: worker-1
  labels:
    node.kubernetes.io/instance-type: Standard_F4s_v2
    topology.kubernetes.io/region: mars
    topology.kubernetes.io/zone: mars-1
`

const balancer = `---
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec:
  type: LoadBalancer
  selector: {app: orders}
  ports: [{port: 80, targetPort: web}]
status: {loadBalancer: {ingress: [{ip: 20.1.2.3}]}}
`

type instance struct {
	Compute struct {
		Name, VMID, VMSize, Location, Zone, UserData, Tags string
	}
	Network struct {
		Interface []struct {
			MACAddress string
			IPv4       struct {
				IPAddress []struct{ PrivateIPAddress string }
				Subnet    []struct{ Address, Prefix string }
			}
			IPv6 struct {
				IPAddress []struct{ PrivateIPAddress string }
			}
		}
	}
}

func (p *process) instance() (got instance) {
	p.t.Helper()
	p.get(p.baseURL()+"/metadata/instance?api-version=2021-02-01", "Metadata", "true", &got)
	return got
}

// until waits until a condition holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal("timed out waiting until " + what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the test ends before " + what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestInstanceMetadataOfPodAndNode(t *testing.T) {
	t.Parallel()
	p := start(t, "-f", write(t, orders+ordersPod+worker+balancer))
	got := p.instance()
	if c := got.Compute; c.Name != "orders-0" || c.VMSize != "Standard_F4s_v2" || c.Location != "mars" || c.Zone != "mars-1" ||
		c.UserData != "Z3JlZXRpbmc9aGVsbG8=" || c.Tags != "app:orders" {
		t.Errorf("compute = %+v", c)
	}
	if len(got.Network.Interface) != 1 {
		t.Fatalf("network = %+v", got.Network)
	}
	if i := got.Network.Interface[0]; i.MACAddress != "02000A010203" || i.IPv4.IPAddress[0].PrivateIPAddress != "10.1.2.3" ||
		i.IPv4.Subnet[0].Address != "10.1.2.0" || i.IPv4.Subnet[0].Prefix != "24" || i.IPv6.IPAddress[0].PrivateIPAddress != "fd00::3" {
		t.Errorf("interface = %+v", i)
	}
	if status, body := p.ask(vault); status != http.StatusOK || body.ClientID != ordersClient {
		t.Errorf("token: got %d %s", status, body.Description)
	}
	var led struct {
		LoadBalancer struct {
			InboundRules []struct {
				FrontendIPAddress, PrivateIPAddress, Protocol string
				FrontendPort, BackendPort                     int
			}
		}
	}
	p.get(p.baseURL()+"/metadata/loadbalancer?api-version=2020-10-01", "Metadata", "true", &led)
	if rules := led.LoadBalancer.InboundRules; len(rules) != 1 || rules[0].FrontendIPAddress != "20.1.2.3" || rules[0].BackendPort != 8080 || rules[0].PrivateIPAddress != "10.1.2.3" {
		t.Errorf("load balancer = %+v", led)
	}
}

func TestInstanceMetadataWithoutFiles(t *testing.T) {
	t.Parallel()
	got := start(t).instance()
	if got.Compute.VMSize == "" || got.Network.Interface[0].MACAddress != "02000AF4000A" || got.Network.Interface[0].IPv4.IPAddress[0].PrivateIPAddress != "10.244.0.10" {
		t.Errorf("instance metadata = %+v", got)
	}
	if got := start(t, "--vm-size", "Huge").instance(); got.Compute.VMSize != "Huge" {
		t.Errorf("size = %q", got.Compute.VMSize)
	}
}

// TestFilesAreWatched changes the file of a running process: cordons the node, removes the identity, breaks the file and repairs it.
func TestFilesAreWatched(t *testing.T) {
	t.Parallel()
	path := write(t, orders+ordersPod+worker)
	p := start(t, "-f", path)
	rewrite := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	type scheduled struct {
		Events []struct{ EventType, EventStatus, NotBefore string }
	}
	events := func() (got scheduled) {
		p.get(p.baseURL()+"/metadata/scheduledevents?api-version=2020-07-01", "Metadata", "true", &got)
		return got
	}
	if got := events(); len(got.Events) != 0 {
		t.Fatalf("events at first = %+v", got)
	}
	if status, _ := p.ask(vault); status != http.StatusOK {
		t.Fatalf("status = %d", status)
	}

	rewrite(orders + ordersPod + worker + "spec: {unschedulable: true}\n")
	until(t, "the cordon is an event", func() bool {
		got := events()
		if len(got.Events) != 1 {
			return false
		}
		notBefore, err := http.ParseTime(got.Events[0].NotBefore)
		return err == nil && notBefore.After(time.Now()) && got.Events[0].EventType == "Redeploy" && got.Events[0].EventStatus == "Scheduled"
	})

	rewrite("broken: [")
	until(t, "the mistake is logged", func() bool { return strings.Contains(p.log.String(), "what they said before still holds") })
	if status, _ := p.ask(vault); status != http.StatusOK || len(events().Events) != 1 {
		t.Errorf("the former version does not hold: %d, %+v", status, events())
	}

	rewrite(payments + ordersPod + worker)
	until(t, "the identity is gone, and its cached token", func() bool {
		status, _ := p.ask(vault)
		return status == http.StatusBadRequest && len(events().Events) == 0
	})
	p.stop(syscall.SIGTERM)
	if got := strings.Count(p.log.String(), "what they said before still holds"); got != 1 {
		t.Errorf("the mistake is logged %d times:\n%s", got, p.log)
	}
}

func TestDebugLogHasResponsesWithoutSecrets(t *testing.T) {
	t.Parallel()
	p := start(t, "--log-level", "debug")
	_, body := p.ask(vault)
	p.ask(vault, "client_id", paymentsClient)
	p.instance()
	var attested struct{ Signature string }
	p.get(p.baseURL()+"/metadata/attested/document?api-version=2021-02-01", "Metadata", "true", &attested)
	p.stop(syscall.SIGTERM)
	log := p.log.String()
	for _, want := range []string{"msg=answer", "Identity not found", body.ClientID, "vmSize", "status=400"} {
		if !strings.Contains(log, want) {
			t.Errorf("log misses %q:\n%s", want, log)
		}
	}
	for _, secret := range []string{body.AccessToken, attested.Signature} {
		if secret == "" || strings.Contains(log, secret) {
			t.Errorf("log contains the secret %q", secret)
		}
	}
}

func TestFileTooLarge(t *testing.T) {
	t.Parallel()
	if message := refuse(t, "", "-f", write(t, "#"+strings.Repeat(" ", 16<<20))); !strings.Contains(message, "it is larger than 16 MiB") {
		t.Errorf("got %q", message)
	}
}

// Tokens of a SystemAssigned identity name the machine, not an identity.
func TestSystemAssignedTokensNameTheMachine(t *testing.T) {
	t.Parallel()
	p := start(t, "-f", write(t, strings.Replace(orders, "spec:", "spec:\n  type: SystemAssigned", 1)+ordersPod))
	status, body := p.ask(vault)
	if status != http.StatusOK {
		t.Fatalf("got %d %s", status, body.Description)
	}
	claims := p.verify(body.AccessToken, p.baseURL()+"/"+defaultTenant+"/v2.0", vault)
	if id, _ := claims["xms_mirid"].(string); !strings.HasSuffix(id, "/providers/Microsoft.Compute/virtualMachines/orders-0") {
		t.Errorf("xms_mirid = %q", id)
	}
}
