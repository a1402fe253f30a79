package machine

// Defaults is what instance metadata says where the node says nothing.
type Defaults struct {
	SubscriptionID string
	ResourceGroup  string
	Location       string

	// Environment is the name of the cloud, as in AzurePublicCloud.
	Environment string
}
