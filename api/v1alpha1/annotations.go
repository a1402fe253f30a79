package v1alpha1

// What a user writes to ask for identities and for the IMDS itself.
const (
	// IdentityAnnotation on a pod or a ServiceAccount asks for identities by name, separated by commas; the
	// first one is the default. The pod's annotation takes the place of the ServiceAccount's.
	IdentityAnnotation = "kube-imds.io/identity"

	// InjectAnnotation on a pod asks for the IMDS ("true") or declines it ("false").
	InjectAnnotation = "kube-imds.io/inject"

	// InjectLabel on a namespace, with the value InjectEnabled, asks for the IMDS in every pod made there.
	InjectLabel = "kube-imds.io/inject"

	// InjectEnabled is the value of InjectLabel that asks.
	InjectEnabled = "enabled"

	// UserDataAnnotation on a pod is the userData of its instance metadata, which gives it in base64.
	UserDataAnnotation = "kube-imds.io/user-data"

	// CustomDataAnnotation on a pod is the customData of its instance metadata, which gives it in base64.
	CustomDataAnnotation = "kube-imds.io/custom-data"

	// PortAnnotation on a pod is the loopback port on which its IMDS listens, behind 169.254.169.254:80, for a pod that
	// needs the usual one itself.
	PortAnnotation = "kube-imds.io/port"

	// ModeAnnotation on a pod names how it gets its IMDS; see ModeSidecar.
	ModeAnnotation = "kube-imds.io/mode"

	// ModeSidecar serves IMDS at 169.254.169.254 on the pod's own loopback device.
	ModeSidecar = "sidecar"
)

// What the webhook writes on a pod to show what it did. They are a record for people: nothing decides by them.
const (
	// InjectedAnnotation carries the mode that the pod was given.
	InjectedAnnotation = "kube-imds.io/injected"

	// GrantedAnnotation carries the names of the identities granted at admission, the default first.
	GrantedAnnotation = "kube-imds.io/granted"

	// NoProxyAnnotation carries the names of the containers whose NO_PROXY was extended.
	NoProxyAnnotation = "kube-imds.io/no-proxy"
)
