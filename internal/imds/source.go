package imds

import (
	"context"
	"time"
)

// TokenSource gives out tokens.
type TokenSource interface {
	// Token gives a token that is valid now. The answer is shared and must not be changed; as long as it is the
	// same token it should be the same pointer, because rendered answers are kept by it.
	//
	// An *Error in the chain of the error is what the application sees; anything else is answered with 503.
	Token(ctx context.Context, request TokenRequest) (*Token, error)
}

// InstanceSource describes the machine. Its errors are read as those of TokenSource.
type InstanceSource interface {
	Instance(ctx context.Context) (*Instance, error)
}

// IdentitySource tells of identities without a token. Its errors are read as those of TokenSource.
type IdentitySource interface {
	Identity(ctx context.Context, selector Selector) (*Identity, error)
}

// TokenRequest is what an application asks for.
type TokenRequest struct {
	// Resource is the audience of the token, to the letter.
	Resource string

	Selector

	// BypassCache asks for a token that nobody was given yet.
	BypassCache bool
}

// Selector names an identity by at most one of its IDs. The zero Selector stands for the default identity.
type Selector struct {
	ClientID   string
	ObjectID   string
	ResourceID string
}

// Token is an access token and what is said beside it.
type Token struct {
	AccessToken string
	ClientID    string
	NotBefore   time.Time
	ExpiresOn   time.Time
}

// Identity is what the info endpoint says of an identity.
type Identity struct {
	TenantID string
}

// Instance is what the instance document says of the machine. What is not known is empty.
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

	// UserData and CustomData are what they say; the document encodes them.
	UserData   string
	CustomData string

	Interfaces []Interface
}

// Tag is a name and a value.
type Tag struct {
	Name  string
	Value string
}

// Interface is a network interface.
type Interface struct {
	// MACAddress is twelve hexadecimal digits in upper case.
	MACAddress string

	IPv4 []string
	IPv6 []string

	// Subnets are those of the IPv4 addresses.
	Subnets []Subnet
}

// Subnet is an address and the number of its leading bits, as in 10.224.0.0 and 16.
type Subnet struct {
	Address string
	Prefix  string
}
