package workload

import (
	"context"
	"fmt"

	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/kube-imds/kube-imds/internal/keyset"
)

// APIServer reads documents from the API server.
type APIServer struct{ client rest.Interface }

var _ keyset.Source = APIServer{}

// NewAPIServer returns an APIServer that names part as its user agent.
func NewAPIServer(config *rest.Config, part string) (APIServer, error) {
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	client, err := rest.UnversionedRESTClientFor(rest.AddUserAgent(config, "kube-imds-"+part))
	if err != nil {
		return APIServer{}, fmt.Errorf("make a client for the cluster's keys: %w", err)
	}
	return APIServer{client}, nil
}

// Read fetches a path.
func (s APIServer) Read(ctx context.Context, path string) ([]byte, error) {
	return s.client.Get().AbsPath(path).DoRaw(ctx)
}
