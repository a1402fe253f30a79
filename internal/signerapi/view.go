package signerapi

import "encoding/json"

// ViewPath takes a GET and answers with the view of the issuer's node: a stream of ViewChanges, one JSON object a line, until either
// side ends it. It begins with everything that there is.
const ViewPath = "/v1/view"

// MaxChangeBytes bounds a line of a view.
const MaxChangeBytes = 8 << 20

// HeartbeatSeconds is the longest time between two lines of a view.
const HeartbeatSeconds = 15

// ViewKind is a kind of object in a view.
type ViewKind string

// The kinds. Pods are those of the node, and everything else is what those that may ask for tokens depend on.
const (
	ViewNode           ViewKind = "Node"
	ViewPod            ViewKind = "Pod"
	ViewServiceAccount ViewKind = "ServiceAccount"
	ViewNamespace      ViewKind = "Namespace"
	ViewIdentity       ViewKind = "ManagedIdentity"
	ViewBindings       ViewKind = "IdentityBinding"
	ViewLoadBalancers  ViewKind = "Service"
)

// ViewKey identifies a part of a view: a pod by its UID, bindings and load balancers by their namespace, and other objects by
// namespace and name.
type ViewKey struct {
	Kind      ViewKind `json:"kind,omitempty"`
	Namespace string   `json:"namespace,omitempty"`
	Name      string   `json:"name,omitempty"`
}

// ViewChange is a change of a view. What a pod depends on comes before the pod. A change without a kind only shows that the
// connection lives.
type ViewChange struct {
	ViewKey

	// Objects are all objects of the key now. Without any, what the key names does not exist.
	Objects []json.RawMessage `json:"objects,omitempty"`

	// Forgotten means that no pod depends on the key any more, or that the pod is gone.
	Forgotten bool `json:"forgotten,omitempty"`

	// Pods are the UIDs of the pods that depend on the key.
	Pods []string `json:"pods,omitempty"`

	// Complete means that the view has everything now: what it has not named since it began, is not there.
	Complete bool `json:"complete,omitempty"`
}
