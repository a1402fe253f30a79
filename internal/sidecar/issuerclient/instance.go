package issuerclient

import (
	"context"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

var _ imds.InstanceSource = (*Client)(nil)

// Instance asks the issuer for the pod's instance metadata.
func (c *Client) Instance(ctx context.Context) (*imds.Instance, error) {
	var answer issuerapi.Instance
	if err := c.ask(ctx, http.MethodGet, issuerapi.InstancePath, nil, &answer); err != nil {
		return nil, err
	}
	return InstanceOf(answer), nil
}

// InstanceOf converts the issuer's answer.
func InstanceOf(answer issuerapi.Instance) *imds.Instance {
	instance := &imds.Instance{
		Name:                answer.Name,
		ComputerName:        answer.ComputerName,
		VMID:                answer.VMID,
		VMSize:              answer.VMSize,
		Location:            answer.Location,
		Zone:                answer.Zone,
		PlatformFaultDomain: answer.PlatformFaultDomain,
		AzureEnvironment:    answer.AzureEnvironment,
		SubscriptionID:      answer.SubscriptionID,
		ResourceGroupName:   answer.ResourceGroupName,
		ResourceID:          answer.ResourceID,
		VMScaleSetName:      answer.VMScaleSetName,
		VMScaleSetID:        answer.VMScaleSetID,
		UserData:            answer.UserData,
		CustomData:          answer.CustomData,
	}
	for _, tag := range answer.Tags {
		instance.Tags = append(instance.Tags, imds.Tag(tag))
	}
	return instance
}
