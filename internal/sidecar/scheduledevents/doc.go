// Package scheduledevents keeps the state of scheduled events that the issuer does not keep: acknowledgements and the
// incarnation. It lives as long as the sidecar's container.
package scheduledevents
