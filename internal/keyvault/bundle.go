package keyvault

import (
	"time"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// secretBundle is a secret, and secretItem what lists have of it. Times are in seconds since 1970 UTC.
type secretBundle struct {
	Value       *string           `json:"value,omitempty"`
	ID          string            `json:"id"`
	ContentType string            `json:"contentType,omitempty"`
	Attributes  attributes        `json:"attributes"`
	Tags        map[string]string `json:"tags,omitempty"`

	RecoveryID         string `json:"recoveryId,omitempty"`
	DeletedDate        int64  `json:"deletedDate,omitempty"`
	ScheduledPurgeDate int64  `json:"scheduledPurgeDate,omitempty"`
}

type attributes struct {
	Enabled         bool   `json:"enabled"`
	NotBefore       *int64 `json:"nbf,omitempty"`
	Expires         *int64 `json:"exp,omitempty"`
	Created         int64  `json:"created"`
	Updated         int64  `json:"updated"`
	RecoveryLevel   string `json:"recoveryLevel"`
	RecoverableDays int    `json:"recoverableDays"`
}

// bundle returns a version of a secret, with its ID as lists have it if item is set.
func (v *Vault) bundle(secret *store.Object, version *store.Version, item bool) secretBundle {
	id := "https://" + v.Host + "/secrets/" + secret.Name
	if !item {
		id += "/" + version.ID
	}
	bundle := secretBundle{ID: id, ContentType: version.ContentType, Tags: version.Tags, Attributes: attributes{
		Enabled: !version.Disabled, NotBefore: version.NotBefore, Expires: version.Expires, Created: version.Created, Updated: version.Updated,
		RecoveryLevel: v.recoveryLevel(), RecoverableDays: v.RetentionDays,
	}}
	if secret.Deleted != nil {
		bundle.RecoveryID = "https://" + v.Host + "/deletedsecrets/" + secret.Name
		bundle.DeletedDate, bundle.ScheduledPurgeDate = secret.Deleted.Date, secret.Deleted.Purge
	}
	return bundle
}

// longestRetention is the longest time, in days, and Azure's default; a shorter one is a custom one.
const longestRetention = 90

func (v *Vault) recoveryLevel() string {
	level := "Recoverable"
	if v.RetentionDays < longestRetention {
		level = "CustomizedRecoverable"
	}
	if !v.Protected {
		level += "+Purgeable"
	}
	return level
}

func (v *Vault) retention() time.Duration { return time.Duration(v.RetentionDays) * 24 * time.Hour }
