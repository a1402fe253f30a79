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
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	response, err := c.call(ctx, http.MethodGet, issuerapi.InstancePath, nil, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, refusalOf(response)
	}
	var answer issuerapi.Instance
	if err := decode(response, &answer); err != nil {
		return nil, err
	}
	return instanceOf(answer), nil
}

func instanceOf(answer issuerapi.Instance) *imds.Instance {
	instance := &imds.Instance{
		Name:              answer.Name,
		VMID:              answer.VMID,
		VMSize:            answer.VMSize,
		Location:          answer.Location,
		Zone:              answer.Zone,
		AzureEnvironment:  answer.AzureEnvironment,
		SubscriptionID:    answer.SubscriptionID,
		ResourceGroupName: answer.ResourceGroupName,
		ResourceID:        answer.ResourceID,
	}
	for _, tag := range answer.Tags {
		instance.Tags = append(instance.Tags, imds.Tag(tag))
	}
	for _, device := range answer.Interfaces {
		instance.Interfaces = append(instance.Interfaces, imds.Interface(device))
	}
	return instance
}
