package main

import (
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

// cluster finds the cluster by kubectl's own flags.
type cluster struct{ *genericclioptions.ConfigFlags }

func newCluster(flags *pflag.FlagSet) cluster {
	c := cluster{genericclioptions.NewConfigFlags(true)}
	c.AddFlags(flags)
	return c
}

// client returns a client of the cluster, and the namespace of the flags or the kubeconfig.
func (c cluster) client() (client.Client, string, error) {
	config, err := c.ToRESTConfig()
	if err != nil {
		return nil, "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	namespace, _, err := c.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	kinds, err := scheme.New()
	if err != nil {
		return nil, "", err
	}
	made, err := client.New(config, client.Options{Scheme: kinds})
	if err != nil {
		return nil, "", fmt.Errorf("connect to the cluster: %w", err)
	}
	return made, namespace, nil
}
