package suite

import "strings"

// addedFields are the fields below compute that each version added (Azure's documentation of IMDS, "Added"), without those
// that depend on the machine, such as data disks.
var addedFields = []struct{ version, paths string }{
	{"2017-03-01", "location name offer osType platformFaultDomain platformUpdateDomain publisher sku version vmId vmSize"},
	{"2017-08-01", "placementGroupId resourceGroupName subscriptionId tags"},
	{"2017-12-01", "vmScaleSetName zone"},
	{"2018-04-02", "plan/name plan/product plan/publisher publicKeys"},
	{"2018-10-01", "azEnvironment provider"},
	{"2019-02-01", "customData"},
	{"2019-03-11", "resourceId"},
	{"2019-06-01", "storageProfile/dataDisks storageProfile/imageReference/sku storageProfile/osDisk/diskSizeGB storageProfile/osDisk/managedDisk/id"},
	{"2019-06-04", "tagsList"},
	{"2020-06-01", "isHostCompatibilityLayerVm securityProfile/secureBootEnabled securityProfile/virtualTpmEnabled"},
	{"2020-07-15", "osProfile/adminUsername osProfile/computerName"},
	{"2020-09-01", "licenseType"},
	{"2020-10-01", "osProfile/disablePasswordAuthentication"},
	{"2020-12-01", "evictionPolicy priority"},
	{"2021-01-01", "userData"},
	{"2021-02-01", "storageProfile/resourceDisk/size"},
	{"2021-03-01", "extendedLocation/name extendedLocation/type virtualMachineScaleSet/id"},
	{"2021-10-01", "platformSubFaultDomain"},
	{"2021-11-01", "additionalCapabilities/hibernationEnabled securityProfile/encryptionAtHost " +
		"storageProfile/osDisk/encryptionSettings/diskEncryptionKey storageProfile/osDisk/encryptionSettings/keyEncryptionKey"},
	{"2021-12-13", "securityProfile/securityType"},
	{"2023-07-01", "storageProfile/imageReference/communityGalleryImageId storageProfile/imageReference/sharedGalleryImageId " +
		"storageProfile/imageReference/exactVersion"},
	{"2023-11-15", "physicalZone"},
}

// instanceFieldCases check that each version has the fields added until then, and no later ones.
func instanceFieldCases() []Case {
	var cases []Case
	for _, version := range knownVersions {
		var had, later []string
		for _, added := range addedFields {
			paths := strings.Fields(added.paths)
			if added.version <= version {
				had = append(had, paths...)
			} else {
				later = append(later, paths...)
			}
		}
		document := get(instancePath + "/compute?api-version=" + version)
		cases = append(cases, ask("instance/version/"+version, document, success(allStrings, alphabetical, has(had...), lacks(later...))))
	}
	return append(cases,
		// It is not known which of the two a machine without a dedicated host has.
		ask("instance/version/2021-11-15/host", inTurn(in("2021-11-01"), in("2021-11-15")), nth(1, lacks("host", "hostGroup")), has("host/id", "hostGroup/id")).ourChoice(),
		// The first version names the members of interfaces differently.
		ask("instance/version/2017-03-01/interface", get(instancePath+"/network/interface/0?api-version=2017-03-01"),
			success(object("", "ipv4", "ipv6", "mac"), has("ipv4/ipaddress/0/ipaddress", "ipv4/ipaddress/0/publicip", "ipv4/subnet/0/address", "ipv4/subnet/0/dnsservers"))),
		ask("instance/version/2021-05-01/disks", inTurn(disks("2021-03-01"), disks("2021-05-01")),
			unless("the machine has no data disks", hasNoDisks), nth(1, lacks("0/diskCapacityBytes")), has("0/diskCapacityBytes", "0/isSharedDisk", "0/isUltraDisk", "0/opsPerSecondThrottle")),
	)
}

func in(version string) request { return get(instancePath + "/compute?api-version=" + version) }

func disks(version string) request {
	return get(instancePath + "/compute/storageProfile/dataDisks?api-version=" + version)
}

func hasNoDisks(a answer) bool { return a.body == "[]" }
