package imds

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const instanceVersion = "?api-version=2021-02-01"

const (
	computeJSON = `{"azEnvironment":"AzurePublicCloud","location":"westeurope","name":"orders-7d9f","osType":"Linux",` +
		`"provider":"Microsoft.Compute","resourceGroupName":"shop","resourceId":"/subscriptions/8d10da13-8125-4ba9-a717-bf7490507b3d/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/orders-7d9f",` +
		`"subscriptionId":"8d10da13-8125-4ba9-a717-bf7490507b3d","tags":"app:orders;tier:<front>","tagsList":[{"name":"app","value":"orders"},{"name":"tier","value":"<front>"}],` +
		`"vmId":"02aab8a4-74ef-476e-8182-f6d2ba4166a6","vmSize":"Standard_D2s_v5","zone":"1"}`
	networkJSON = `{"interface":[{"ipv4":{"ipAddress":[{"privateIpAddress":"10.244.1.7","publicIpAddress":""}],"subnet":[]},` +
		`"ipv6":{"ipAddress":[{"privateIpAddress":"fd00::7"}]},"macAddress":""}]}`
)

func TestInstance(t *testing.T) {
	t.Parallel()
	const (
		notFound = `{ "error": "Not found" }`
		leafJSON = `{ "error": "Bad request. A single value is given with format=text only" }`
	)
	for target, want := range map[string]struct {
		status int
		body   string
	}{
		instanceVersion:       {200, `{"compute":` + computeJSON + `,"network":` + networkJSON + `}`},
		"/" + instanceVersion: {200, `{"compute":` + computeJSON + `,"network":` + networkJSON + `}`},
		"/compute" + instanceVersion + "&format=json":                                               {200, computeJSON},
		"/Compute/" + instanceVersion + "&extended=true":                                            {200, computeJSON},
		"/network" + instanceVersion:                                                                {200, networkJSON},
		"/network/interface/0/ipv4/ipAddress" + instanceVersion:                                     {200, `[{"privateIpAddress":"10.244.1.7","publicIpAddress":""}]`},
		"/network/interface/0/ipv4/ipAddress/0/privateIpAddress" + instanceVersion + "&format=text": {200, "10.244.1.7"},
		"/compute/tagsList/1/value" + instanceVersion + "&format=text":                              {200, "<front>"},
		"/compute/vmId" + instanceVersion + "&format=text":                                          {200, sampleInstance.VMID},
		"/compute/VMID" + instanceVersion + "&format=text":                                          {200, sampleInstance.VMID},
		instanceVersion + "&format=text":                                                            {200, "compute/\nnetwork/"},
		"/compute/tagsList" + instanceVersion + "&format=text":                                      {200, "0/\n1/"},
		"/compute/tagsList/0" + instanceVersion + "&format=text":                                    {200, "name\nvalue"},
		"/network/interface/0/macAddress" + instanceVersion + "&format=text":                        {200, ""},
		"/compute/vmId" + instanceVersion:                                                           {400, leafJSON},
		"/compute/vmId" + instanceVersion + "&format=json":                                          {400, leafJSON},
		"/compute" + instanceVersion + "&format=xml":                                                {400, `{ "error": "Bad request. The format is json or text" }`},
		"/compute/nothing" + instanceVersion:                                                        {404, notFound},
		"/compute/vmId/x" + instanceVersion + "&format=text":                                        {404, notFound},
		"/compute/tagsList/2" + instanceVersion:                                                     {404, notFound},
		"/compute/tagsList/-1" + instanceVersion:                                                    {404, notFound},
		"/compute/tagsList/99999999999999999999" + instanceVersion:                                  {404, notFound},
		"/compute/tagsList?api-version=2018-02-01":                                                  {404, notFound},
		"/compute/../network" + instanceVersion:                                                     {404, notFound},
		"/./compute" + instanceVersion:                                                              {404, notFound},
		"/%63ompute" + instanceVersion:                                                              {404, notFound},
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			get(t, newIMDS().build(), instancePath+target).want(t, want.status, want.body)
		})
	}
}

func TestInstanceFieldsByVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string][]string{
		"2017-04-02": {"location", "name", "osType", "vmId", "vmSize"},
		"2017-08-01": {"location", "name", "osType", "resourceGroupName", "subscriptionId", "tags", "vmId", "vmSize"},
		"2025-04-07": {"azEnvironment", "location", "name", "osType", "provider", "resourceGroupName", "resourceId",
			"subscriptionId", "tags", "tagsList", "vmId", "vmSize", "zone"},
	} {
		body := get(t, newIMDS().build(), instancePath+"/compute?api-version="+version).body
		var compute map[string]any
		if err := json.Unmarshal([]byte(body), &compute); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, field := range computeFields {
			if _, present := compute[field.name]; present {
				got = append(got, field.name)
			}
		}
		if difference := cmp.Diff(want, got); difference != "" {
			t.Errorf("%s (-want +got):\n%s", version, difference)
		}
	}
}

func TestInstanceOfWhichLittleIsKnown(t *testing.T) {
	t.Parallel()
	imds := newIMDS()
	imds.instances = func() (*Instance, error) { return &Instance{}, nil }
	get(t, imds.build(), instancePath+"?api-version=2017-08-01").want(t, http.StatusOK,
		`{"compute":{"location":"","name":"","osType":"Linux","resourceGroupName":"","subscriptionId":"","tags":"","vmId":"","vmSize":""},"network":{"interface":[]}}`)
}

func TestInstanceWhileItsSourceIsAway(t *testing.T) {
	t.Parallel()
	got := get(t, newIMDS().failingWith(Unavailable("later")).build(), instancePath+instanceVersion)
	got.want(t, http.StatusServiceUnavailable, `{ "error": "later" }`)
	if wait := got.header.Get("Retry-After"); wait != "5" {
		t.Errorf("Retry-After is %q", wait)
	}
}

func TestTextAnswersAreText(t *testing.T) {
	t.Parallel()
	got := get(t, newIMDS().build(), instancePath+"/compute/name"+instanceVersion+"&format=text")
	if kind := got.header.Get("Content-Type"); kind != "text/plain; charset=utf-8" {
		t.Errorf("Content-Type is %q", kind)
	}
}
