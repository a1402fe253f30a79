package store

import (
	"encoding/json"
	"time"
)

// Object is a named object of a vault with its versions.
type Object struct {
	// Name is spelled as it was when the object was made. Names have no case.
	Name string `json:"name"`

	// Versions are in the order of their making: the last is the current one.
	Versions []Version `json:"versions"`

	// Deleted is set while the object is deleted and can be recovered.
	Deleted *Deletion `json:"deleted,omitempty"`

	// Detail is what the kind of object keeps for all versions.
	Detail json.RawMessage `json:"detail,omitempty"`
}

// Version is a version of an object, without its value. Times are in seconds since 1970 UTC.
type Version struct {
	ID        string            `json:"id"`
	Tags      map[string]string `json:"tags,omitempty"`
	Disabled  bool              `json:"disabled,omitempty"`
	NotBefore *int64            `json:"nbf,omitempty"`
	Expires   *int64            `json:"exp,omitempty"`
	Created   int64             `json:"created"`
	Updated   int64             `json:"updated"`

	// ContentType is a secret's.
	ContentType string `json:"contentType,omitempty"`

	// Detail is what the kind of object keeps beside the value, such as a public key.
	Detail json.RawMessage `json:"detail,omitempty"`
}

// Deletion is when an object was deleted, and when it is gone. Times are in seconds since 1970 UTC.
type Deletion struct {
	Date  int64 `json:"date"`
	Purge int64 `json:"purge"`
}

// Current returns the current version.
func (o *Object) Current() *Version { return &o.Versions[len(o.Versions)-1] }

// Version returns a version by its ID, the current one for "", or nil.
func (o *Object) Version(id string) *Version {
	if id == "" {
		return o.Current()
	}
	for i := range o.Versions {
		if o.Versions[i].ID == id {
			return &o.Versions[i]
		}
	}
	return nil
}

// exists reports whether the object is there at a time: not yet made ones and those whose retention is over are not.
func (o *Object) exists(now time.Time) bool {
	return len(o.Versions) > 0 && (o.Deleted == nil || now.Unix() < o.Deleted.Purge)
}
