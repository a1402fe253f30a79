package convert

import (
	"fmt"
)

// convertWorkloadIdentity converts the ServiceAccounts of azure-workload-identity.
func (c *conversion) convertWorkloadIdentity() {
	known := map[account]bool{}
	for _, source := range c.serviceAccounts {
		who := account{source.Metadata.Namespace, source.Metadata.Name}
		known[who] = true
		annotations := source.Metadata.Annotations
		converted := c.identityOf(*source, claim{clientID: annotations[clientIDAnnotation], tenantID: annotations[tenantIDAnnotation]})
		if converted != nil {
			// What its pods had in AZURE_CLIENT_ID.
			c.grant(who, converted).preferred = converted
		}
	}
	if len(known) > 0 {
		c.result.oldLabels = append(c.result.oldLabels, workloadIdentityLabel)
	}
	c.reviewLabelled(known)
}

// reviewLabelled warns about pods that ask for workload identity by a ServiceAccount that has none in the input.
func (c *conversion) reviewLabelled(known map[account]bool) {
	for _, workload := range c.workloads {
		if workload.labels[workloadIdentityLabel] != "true" || known[workload.account] {
			continue
		}
		known[workload.account] = true
		c.warn(workload.account.String(), fmt.Sprintf("the pods of %s have the label %s, and the input has no such ServiceAccount with the annotation %s",
			workload, workloadIdentityLabel, clientIDAnnotation), "add it to the input")
	}
}
