package imds

import (
	"context"
	"time"
)

// TokenSource issues tokens.
type TokenSource interface {
	// Token returns a token that is valid now. It is shared and must not be changed. The same token should be the same //
	// pointer, because rendered responses are cached by it. An *Error in the error's chain is what the application gets;
	// any other error becomes 503.
	Token(ctx context.Context, request TokenRequest) (*Token, error)
}

// InstanceSource describes the machine. Its errors are handled like TokenSource's.
type InstanceSource interface {
	Instance(ctx context.Context) (*Instance, error)
}

// IdentitySource describes identities. Its errors are handled like TokenSource's.
type IdentitySource interface {
	Identity(ctx context.Context, selector Selector) (*Identity, error)
}

// TokenRequest is an application's request for a token.
type TokenRequest struct {
	// Resource becomes the audience of the token, unchanged.
	Resource string

	Selector

	// BypassCache asks for a newly minted token.
	BypassCache bool
}

// Selector names an identity by at most one of its IDs. The zero Selector means the default identity.
type Selector struct {
	ClientID   string
	ObjectID   string
	ResourceID string
}

// Token is an access token with its metadata.
type Token struct {
	AccessToken string
	ClientID    string
	NotBefore   time.Time
	ExpiresOn   time.Time

	// RenewsOn is when the source will have a newer token; zero if it is not known.
	RenewsOn time.Time
}

// Identity is an identity as the info endpoint describes it.
type Identity struct {
	TenantID string
}

// Instance is a machine as the instance document describes it. Unknown values are empty.
type Instance struct {
	Name                string
	ComputerName        string
	VMID                string
	VMSize              string
	Location            string
	Zone                string
	PlatformFaultDomain string
	AzureEnvironment    string
	SubscriptionID      string
	ResourceGroupName   string
	ResourceID          string
	VMScaleSetName      string
	VMScaleSetID        string
	Tags                []Tag

	// UserData and CustomData are not encoded; the document encodes them as base64.
	UserData   string
	CustomData string

	Interfaces []Interface
}

// Tag is a machine's tag.
type Tag struct {
	Name  string
	Value string
}

// Interface is a network interface.
type Interface struct {
	// MACAddress has twelve upper-case hexadecimal digits and no separators.
	MACAddress string

	IPv4 []string
	IPv6 []string

	// Subnets are the subnets of the IPv4 addresses.
	Subnets []Subnet
}

// Subnet is a network address and a prefix length, such as 10.224.0.0 and 16.
type Subnet struct {
	Address string
	Prefix  string
}
