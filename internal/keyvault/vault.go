package keyvault

import "time"

// Vault is a vault that is served.
type Vault struct {
	Namespace, Name string

	// UID is what its objects are kept by: a vault that is made again begins empty.
	UID string

	// Host is the name in its URI, and Resource the audience of its tokens.
	Host, Resource string

	TenantID string

	// Authority is the URL of the tenant, which the challenge names.
	Authority string

	// RetentionDays is how long deleted objects can be recovered, and Protected whether they cannot be purged before.
	RetentionDays int
	Protected     bool
}

// url returns the URL of an object of a kind.
func (v *Vault) url(kind, name string) string { return "https://" + v.Host + "/" + kind + "/" + name }

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
