package machine

// Defaults are the values of instance metadata for nodes without labels and provider ID.
type Defaults struct {
	SubscriptionID string
	ResourceGroup  string
	Location       string

	// VMSize is the size of nodes without the label node.kubernetes.io/instance-type. Some agents refuse an empty one.
	VMSize string

	// Environment is the name of the cloud, such as AzurePublicCloud.
	Environment string
}
