package attested

import (
	"encoding/json"
	"fmt"
	"time"
)

// Lifetime is how long a document is valid.
const Lifetime = 6 * time.Hour

// Claims are the content of a document.
type Claims struct {
	VMID           string
	SubscriptionID string

	// Nonce is the requester's; if it is empty, the document has its own time instead.
	Nonce string

	// Version is the api-version, such as 2020-09-01. It decides which members the document has.
	Version string
}

// The layouts of times in UTC.
const (
	timeLayout  = "01/02/06 15:04:05 -0000"
	nonceLayout = "20060102-150405"
)

// content returns what is signed: compact JSON with sorted members.
func content(claims Claims, now time.Time) ([]byte, error) {
	now = now.UTC()
	nonce := claims.Nonce
	if nonce == "" {
		nonce = now.Format(nonceLayout)
	}
	members := map[string]any{
		"nonce": nonce,
		"plan":  map[string]string{"name": "", "product": "", "publisher": ""},
		"timeStamp": map[string]string{
			"createdOn": now.Format(timeLayout), "expiresOn": now.Add(Lifetime).Format(timeLayout),
		},
		"vmId": claims.VMID,
	}
	for _, added := range []struct{ name, since, value string }{
		{"subscriptionId", "2019-04-30", claims.SubscriptionID},
		{"sku", "2019-11-01", ""},
		{"licenseType", "2020-09-01", ""},
	} {
		if added.since <= claims.Version {
			members[added.name] = added.value
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("render an attested document: %w", err)
	}
	return text, nil
}
