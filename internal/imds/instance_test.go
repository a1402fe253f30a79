package imds

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const instanceVersion = "?api-version=2021-02-01"

const (
	computeJSON = `{"azEnvironment":"AzurePublicCloud","customData":"I2Nsb3VkLWNvbmZpZwo=","evictionPolicy":"","isHostCompatibilityLayerVm":"false",` +
		`"licenseType":"","location":"westeurope","name":"orders-7d9f","offer":"",` +
		`"osProfile":{"adminUsername":"","computerName":"orders","disablePasswordAuthentication":"true"},"osType":"Linux",` +
		`"placementGroupId":"","plan":{"name":"","product":"","publisher":""},"platformFaultDomain":"2","platformUpdateDomain":"0","priority":"",` +
		`"provider":"Microsoft.Compute","publicKeys":[],"publisher":"","resourceGroupName":"shop","resourceId":"/subscriptions/8d10da13-8125-4ba9-a717-bf7490507b3d/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/orders-7d9f",` +
		`"securityProfile":{"secureBootEnabled":"false","virtualTpmEnabled":"false"},"sku":"",` +
		`"storageProfile":{"dataDisks":[],"imageReference":{"id":"","offer":"","publisher":"","sku":"","version":""},` +
		`"osDisk":{"caching":"","createOption":"","diffDiskSettings":{"option":""},"diskSizeGB":"","encryptionSettings":{"enabled":"false"},"image":{"uri":""},` +
		`"managedDisk":{"id":"","storageAccountType":""},"name":"","osType":"Linux","vhd":{"uri":""},"writeAcceleratorEnabled":"false"},"resourceDisk":{"size":""}},` +
		`"subscriptionId":"8d10da13-8125-4ba9-a717-bf7490507b3d","tags":"app:orders;tier:<front>","tagsList":[{"name":"app","value":"orders"},{"name":"tier","value":"<front>"}],` +
		`"userData":"Z3JlZXRpbmc9aGVsbG8=","version":"","vmId":"02aab8a4-74ef-476e-8182-f6d2ba4166a6","vmScaleSetName":"np-vmss","vmSize":"Standard_D2s_v5","zone":"1"}`
	networkJSON = `{"interface":[{"ipv4":{"ipAddress":[{"privateIpAddress":"10.244.1.7","publicIpAddress":""}],"subnet":[{"address":"10.244.1.0","prefix":"24"}]},` +
		`"ipv6":{"ipAddress":[{"privateIpAddress":"fd00::7"}]},"macAddress":"6045BDC89987"}]}`
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
		instanceVersion + "&extended=true":                                                          {200, `{"compute":` + computeJSON + `,"extended":{"compute":{"hasCustomData":"true","ppsType":"None"}},"network":` + networkJSON + `}`},
		instanceVersion + "&extended=False":                                                         {200, `{"compute":` + computeJSON + `,"network":` + networkJSON + `}`},
		instanceVersion + "&extended=1":                                                             {400, `{ "error": "Bad request. The parameter extended is true or false" }`},
		"/extended" + instanceVersion:                                                               {404, notFound},
		"/network" + instanceVersion:                                                                {200, networkJSON},
		"/network/interface/0/ipv4/ipAddress" + instanceVersion:                                     {200, `[{"privateIpAddress":"10.244.1.7","publicIpAddress":""}]`},
		"/network/interface/0/ipv4/ipAddress/0/privateIpAddress" + instanceVersion + "&format=text": {200, "10.244.1.7"},
		"/compute/tagsList/1/value" + instanceVersion + "&format=text":                              {200, "<front>"},
		"/compute/vmId" + instanceVersion + "&format=text":                                          {200, sampleInstance.VMID},
		"/compute/VMID" + instanceVersion + "&format=text":                                          {200, sampleInstance.VMID},
		instanceVersion + "&format=text":                                                            {200, "compute/\nnetwork/"},
		"/compute/tagsList" + instanceVersion + "&format=text":                                      {200, "0/\n1/"},
		"/compute/tagsList/0" + instanceVersion + "&format=text":                                    {200, "name\nvalue"},
		"/network/interface/0/macAddress" + instanceVersion + "&format=text":                        {200, "6045BDC89987"},
		"/network/interface/0" + instanceVersion + "&format=text":                                   {200, "ipv4/\nipv6/\nmacAddress"},
		"/compute/offer" + instanceVersion + "&format=text":                                         {200, ""},
		"/compute/virtualMachineScaleSet/id?api-version=2021-03-01&format=text":                     {200, sampleInstance.VMScaleSetID},
		"/compute/publicKeys" + instanceVersion:                                                     {200, "[]"},
		"/compute/publicKeys" + instanceVersion + "&format=text":                                    {200, ""},
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
		"/network?api-version=2017-03-01": {200, `{"interface":[{"ipv4":{"ipaddress":[{"ipaddress":"10.244.1.7","publicip":""}],` +
			`"subnet":[{"address":"10.244.1.0","dnsservers":[]}]},"ipv6":{"ipaddress":[{"ipaddress":"fd00::7"}]},"mac":"6045BDC89987"}]}`},
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			get(t, newIMDS().build(), instancePath+target).want(t, want.status, want.body)
		})
	}
}

// addedIn holds the fields under "Added" in imds-contract.md section 3.
var addedIn = map[string]string{
	"2017-03-01": "location name offer osType platformFaultDomain platformUpdateDomain publisher sku version vmId vmSize",
	"2017-08-01": "placementGroupId resourceGroupName subscriptionId tags",
	"2017-12-01": "vmScaleSetName zone",
	"2018-04-02": "plan publicKeys",
	"2018-10-01": "azEnvironment provider",
	"2019-02-01": "customData",
	"2019-03-11": "resourceId",
	"2019-06-01": "storageProfile",
	"2019-06-04": "tagsList",
	"2020-06-01": "isHostCompatibilityLayerVm securityProfile/secureBootEnabled securityProfile/virtualTpmEnabled",
	"2020-07-15": "osProfile",
	"2020-09-01": "licenseType",
	"2020-10-01": "osProfile/disablePasswordAuthentication",
	"2020-12-01": "evictionPolicy priority",
	"2021-01-01": "userData",
	"2021-02-01": "storageProfile/resourceDisk",
	"2021-03-01": "extendedLocation virtualMachineScaleSet",
	"2021-10-01": "platformSubFaultDomain",
	"2021-11-01": "additionalCapabilities securityProfile/encryptionAtHost storageProfile/osDisk/encryptionSettings/diskEncryptionKey " +
		"storageProfile/osDisk/encryptionSettings/keyEncryptionKey",
	"2021-11-15": "host hostGroup",
	"2021-12-13": "securityProfile/securityType",
	"2023-07-01": "storageProfile/imageReference/sharedGalleryImageId storageProfile/imageReference/communityGalleryImageId " +
		"storageProfile/imageReference/exactVersion",
	"2023-11-15": "physicalZone",
}

func TestInstanceFieldsByVersion(t *testing.T) {
	t.Parallel()
	expected := map[string]bool{}
	for _, version := range knownVersions {
		for path := range strings.FieldsSeq(addedIn[version]) {
			expected[path] = true
		}
		document := instanceDocument(sampleInstance, version)
		for _, paths := range addedIn {
			for path := range strings.FieldsSeq(paths) {
				if _, present := find(document["compute"], "/"+normalPath(path)); present != expected[path] {
					t.Errorf("version %s: field %s is present: %v", version, path, present)
				}
			}
		}
		for name := range document["compute"].(object) {
			if !expected[name] && !slices.ContainsFunc(slices.Collect(maps.Keys(expected)), func(path string) bool {
				return strings.HasPrefix(path, name+"/")
			}) {
				t.Errorf("version %s has field %s, which the contract does not list", version, name)
			}
		}
	}
}

func TestInstanceWithUnknownFields(t *testing.T) {
	t.Parallel()
	imds := newIMDS()
	imds.instances = func() (*Instance, error) { return &Instance{}, nil }
	get(t, imds.build(), instancePath+"/extended/compute"+instanceVersion+"&extended=true").want(t, http.StatusOK,
		`{"hasCustomData":"false","ppsType":"None"}`)
	get(t, imds.build(), instancePath+"?api-version=2017-08-01").want(t, http.StatusOK,
		`{"compute":{"location":"","name":"","offer":"","osType":"Linux","placementGroupId":"","platformFaultDomain":"","platformUpdateDomain":"0",`+
			`"publisher":"","resourceGroupName":"","sku":"","subscriptionId":"","tags":"","version":"","vmId":"","vmSize":""},"network":{"interface":[]}}`)
}

func TestInstanceWhileItsSourceIsAway(t *testing.T) {
	t.Parallel()
	got := get(t, newIMDS().failingWith(Unavailable("later")).build(), instancePath+instanceVersion)
	got.want(t, http.StatusServiceUnavailable, `{ "error": "later" }`)
	if wait := got.header.Get("Retry-After"); wait != "5" {
		t.Errorf("Retry-After = %q", wait)
	}
}
