package imds

import "encoding/base64"

// computeFields defines the compute document (imds-contract.md section 3). What a pod lacks is empty, as IMDS does with what a
// virtual machine lacks.
var computeFields = fields{
	{"additionalCapabilities", "2021-11-01", fields{{"hibernationEnabled", "2021-11-01", constant("false")}}},
	{"azEnvironment", "2018-10-01", text(func(i *Instance) string { return i.AzureEnvironment })},
	{"customData", "2019-02-01", text(func(i *Instance) string { return base64Of(i.CustomData) })},
	{"evictionPolicy", "2020-12-01", constant("")},
	{"extendedLocation", "2021-03-01", fields{
		{"name", "2021-03-01", constant("")},
		{"type", "2021-03-01", constant("")},
	}},
	{"host", "2021-11-15", fields{{"id", "2021-11-15", constant("")}}},
	{"hostGroup", "2021-11-15", fields{{"id", "2021-11-15", constant("")}}},
	{"isHostCompatibilityLayerVm", "2020-06-01", constant("false")},
	{"licenseType", "2020-09-01", constant("")},
	{"location", instanceSince, text(func(i *Instance) string { return i.Location })},
	{"name", instanceSince, text(func(i *Instance) string { return i.Name })},
	{"offer", instanceSince, constant("")},
	{"osProfile", "2020-07-15", fields{
		{"adminUsername", "2020-07-15", constant("")},
		{"computerName", "2020-07-15", text(func(i *Instance) string { return i.ComputerName })},
		{"disablePasswordAuthentication", "2020-10-01", constant("true")},
	}},
	{"osType", instanceSince, constant("Linux")},
	{"physicalZone", "2023-11-15", constant("")},
	{"placementGroupId", "2017-08-01", constant("")},
	{"plan", "2018-04-02", fields{
		{"name", "2018-04-02", constant("")},
		{"product", "2018-04-02", constant("")},
		{"publisher", "2018-04-02", constant("")},
	}},
	{"platformFaultDomain", instanceSince, text(func(i *Instance) string { return i.PlatformFaultDomain })},
	{"platformSubFaultDomain", "2021-10-01", constant("")},
	{"platformUpdateDomain", instanceSince, constant("0")},
	{"priority", "2020-12-01", constant("")},
	{"provider", "2018-10-01", constant("Microsoft.Compute")},
	{"publicKeys", "2018-04-02", none{}},
	{"publisher", instanceSince, constant("")},
	{"resourceGroupName", "2017-08-01", text(func(i *Instance) string { return i.ResourceGroupName })},
	{"resourceId", "2019-03-11", text(func(i *Instance) string { return i.ResourceID })},
	{"securityProfile", "2020-06-01", fields{
		{"encryptionAtHost", "2021-11-01", constant("false")},
		{"secureBootEnabled", "2020-06-01", constant("false")},
		{"securityType", "2021-12-13", constant("")},
		{"virtualTpmEnabled", "2020-06-01", constant("false")},
	}},
	{"sku", instanceSince, constant("")},
	{"storageProfile", "2019-06-01", storageFields},
	{"subscriptionId", "2017-08-01", text(func(i *Instance) string { return i.SubscriptionID })},
	{"tags", "2017-08-01", text(func(i *Instance) string { return joinTags(i.Tags) })},
	{"tagsList", "2019-06-04", all(func(i *Instance) list { return each(i.Tags, tagElement) })},
	{"userData", "2021-01-01", text(func(i *Instance) string { return base64Of(i.UserData) })},
	{"version", instanceSince, constant("")},
	{"virtualMachineScaleSet", "2021-03-01", fields{
		{"id", "2021-03-01", text(func(i *Instance) string { return i.VMScaleSetID })},
	}},
	{"vmId", instanceSince, text(func(i *Instance) string { return i.VMID })},
	{"vmScaleSetName", "2017-12-01", text(func(i *Instance) string { return i.VMScaleSetName })},
	{"vmSize", instanceSince, text(func(i *Instance) string { return i.VMSize })},
	{"zone", "2017-12-01", text(func(i *Instance) string { return i.Zone })},
}

// storageFields defines the disks. A pod has none, so all are empty.
var storageFields = fields{
	{"dataDisks", "2019-06-01", none{}},
	{"imageReference", "2019-06-01", fields{
		{"communityGalleryImageId", "2023-07-01", constant("")},
		{"exactVersion", "2023-07-01", constant("")},
		{"id", "2019-06-01", constant("")},
		{"offer", "2019-06-01", constant("")},
		{"publisher", "2019-06-01", constant("")},
		{"sharedGalleryImageId", "2023-07-01", constant("")},
		{"sku", "2019-06-01", constant("")},
		{"version", "2019-06-01", constant("")},
	}},
	{"osDisk", "2019-06-01", fields{
		{"caching", "2019-06-01", constant("")},
		{"createOption", "2019-06-01", constant("")},
		{"diffDiskSettings", "2019-06-01", fields{{"option", "2019-06-01", constant("")}}},
		{"diskSizeGB", "2019-06-01", constant("")},
		{"encryptionSettings", "2019-06-01", fields{
			{"diskEncryptionKey", "2021-11-01", keyFields("secretUrl")},
			{"enabled", "2019-06-01", constant("false")},
			{"keyEncryptionKey", "2021-11-01", keyFields("keyUrl")},
		}},
		{"image", "2019-06-01", fields{{"uri", "2019-06-01", constant("")}}},
		{"managedDisk", "2019-06-01", fields{
			{"id", "2019-06-01", constant("")},
			{"storageAccountType", "2019-06-01", constant("")},
		}},
		{"name", "2019-06-01", constant("")},
		{"osType", "2019-06-01", constant("Linux")},
		{"vhd", "2019-06-01", fields{{"uri", "2019-06-01", constant("")}}},
		{"writeAcceleratorEnabled", "2019-06-01", constant("false")},
	}},
	{"resourceDisk", "2021-02-01", fields{{"size", "2021-02-01", constant("")}}},
}

// keyFields defines a key in a vault, which no pod has.
func keyFields(url string) fields {
	return fields{
		{url, "2021-11-01", constant("")},
		{"sourceVault", "2021-11-01", fields{{"id", "2021-11-01", constant("")}}},
	}
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// field is a member of an object in the instance document. since is the first version that has it.
type field struct {
	name, since string
	value       value
}

// value is a field's content: text, a constant, a list or nested fields.
type value interface {
	of(instance *Instance, version string) any
}

type (
	// fields is an object.
	fields []field

	// text is a string from the source.
	text func(*Instance) string

	// all is a list from the source.
	all func(*Instance) list

	// constant is a string that is the same for every pod.
	constant string

	// none is an empty list.
	none struct{}
)

func (f fields) of(instance *Instance, version string) any {
	members := make(object, len(f))
	for _, field := range f {
		if field.since <= version {
			members[field.name] = field.value.of(instance, version)
		}
	}
	return members
}

func (t text) of(instance *Instance, _ string) any { return t(instance) }
func (a all) of(instance *Instance, _ string) any  { return a(instance) }
func (c constant) of(*Instance, string) any        { return string(c) }
func (none) of(*Instance, string) any              { return list{} }
