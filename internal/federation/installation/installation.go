// Package installation finds the federation issuer of an installation, for the command line.
package installation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/federation"
	"github.com/kube-imds/kube-imds/internal/published"
)

// The annotations of the ConfigMap with the public keys, which the chart sets.
const (
	issuerAnnotation      = "kube-imds.io/federation-issuer"
	verifyAnnotation      = "kube-imds.io/federation-verify-publication"
	clusterAnnotation     = "kube-imds.io/federation-cluster"
	environmentAnnotation = "kube-imds.io/azure-environment"
)

// Installation is the federation issuer of an installation.
type Installation struct {
	Issuer federation.Issuer

	// Environment is the Azure cloud by its name in IMDS.
	Environment string

	// JWKS is the document of the public keys, and KeyIDs holds their IDs.
	JWKS   []byte
	KeyIDs []string

	// Recorded holds the IDs of keys that were recorded as public.
	Recorded map[string]bool

	configMap client.ObjectKey
}

var (
	errNone         = errors.New("no installation of kube-imds in this cluster has a federation issuer: set federation.issuerURL in the chart's values")
	errNotInstalled = errors.New("there is no installation of kube-imds in this cluster")

	errKeys = errors.New("the signer has not made its federation keys yet: look at its log")
)

// Find finds the installation in a namespace, or in all if it is "".
func Find(ctx context.Context, reader client.Reader, namespace string) (*Installation, error) {
	all, err := configMaps(ctx, reader, namespace)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(all, func(one corev1.ConfigMap) bool { return one.Annotations[issuerAnnotation] == "" })
	switch len(found) {
	case 0:
		return nil, errNone
	case 1:
		return read(&found[0])
	}
	return nil, fmt.Errorf("several installations have a federation issuer, among them those in the namespaces %s and %s: choose with --namespace",
		found[0].Namespace, found[1].Namespace)
}

// Environment returns the Azure cloud of the installation in a namespace, or in all if it is "", by its name in IMDS.
func Environment(ctx context.Context, reader client.Reader, namespace string) (string, error) {
	all, err := configMaps(ctx, reader, namespace)
	if err != nil {
		return "", err
	}
	for _, one := range all {
		if environment := one.Annotations[environmentAnnotation]; environment != "" {
			return environment, nil
		}
	}
	return "", errNotInstalled
}

// configMaps returns the ConfigMaps of the signer.
func configMaps(ctx context.Context, reader client.Reader, namespace string) ([]corev1.ConfigMap, error) {
	var all corev1.ConfigMapList
	selector := client.MatchingLabels{"app.kubernetes.io/component": "signer"}
	if err := reader.List(ctx, &all, client.InNamespace(namespace), selector); err != nil {
		return nil, fmt.Errorf("list the ConfigMaps of the signer: %w", err)
	}
	return all.Items, nil
}

func read(configMap *corev1.ConfigMap) (*Installation, error) {
	keys, err := published.Read(configMap.Data)
	if err != nil {
		return nil, err
	}
	if keys == nil {
		return nil, errKeys
	}
	issuer := federation.Issuer{
		URL: configMap.Annotations[issuerAnnotation], Cluster: configMap.Annotations[clusterAnnotation],
		Recorded: configMap.Annotations[verifyAnnotation] == "false",
	}
	return &Installation{
		Issuer:      issuer,
		Environment: configMap.Annotations[environmentAnnotation], JWKS: keys.JWKS,
		KeyIDs: slices.Sorted(maps.Keys(keys.KeyIDs)), Recorded: issuer.ReadRecord(configMap.Annotations[federation.RecordAnnotation]),
		configMap: client.ObjectKeyFromObject(configMap),
	}, nil
}

// Record records for the signer which of its keys are public.
func (i *Installation) Record(ctx context.Context, writer client.Writer, keyIDs []string) error {
	value := i.Issuer.Record(keyIDs)
	record := corev1apply.ConfigMap(i.configMap.Name, i.configMap.Namespace).
		WithAnnotations(map[string]string{federation.RecordAnnotation: value})
	if err := writer.Apply(ctx, record, client.FieldOwner("kubectl-imds"), client.ForceOwnership); err != nil {
		return fmt.Errorf("record which keys are public: %w", err)
	}
	i.Recorded = i.Issuer.ReadRecord(value)
	return nil
}

// Write writes the public files below a directory and returns their paths.
func (i *Installation) Write(directory string) ([]string, error) {
	discovery, err := i.Issuer.Discovery()
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, file := range []struct {
		path    string
		content []byte
	}{{federation.DiscoveryPath, discovery}, {federation.KeysPath, append(slices.Clone(i.JWKS), '\n')}} {
		path := filepath.Join(directory, filepath.FromSlash(file.path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the files are public
			return nil, fmt.Errorf("make the directory of a public file: %w", err)
		}
		if err := os.WriteFile(path, file.content, 0o644); err != nil { //nolint:gosec // the files are public
			return nil, fmt.Errorf("write a public file: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}
