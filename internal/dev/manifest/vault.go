package manifest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// VaultLabel names the KeyVault whose first secrets a Secret holds: each of its keys is the name of one.
const VaultLabel = "kube-imds.io/key-vault"

// Secret is a secret that a vault has at first.
type Secret struct {
	// Namespace and Vault name the KeyVault.
	Namespace, Vault string

	Name, Value string
}

// addSecrets adds the entries of a Secret. As for an API server, stringData comes before data.
func (p *parser) addSecrets(object *corev1.Secret) error {
	vault := object.Labels[VaultLabel]
	if vault == "" {
		return fmt.Errorf("Secret %q: the label %s is to name the KeyVault that has its entries as secrets", object.Name, VaultLabel)
	}
	values := map[string]string{}
	for name, value := range object.Data {
		values[name] = string(value)
	}
	maps.Copy(values, object.StringData)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		p.manifest.Secrets = append(p.manifest.Secrets, Secret{object.Namespace, vault, name, values[name]})
	}
	return nil
}

// checkVaults returns an error for vaults with the same name, and for objects of vaults that are not there.
func (m *Manifest) checkVaults() error {
	var problems []error
	for i, vault := range m.Vaults {
		if slices.ContainsFunc(m.Vaults[:i], func(one *v1alpha1.KeyVault) bool { return one.Name == vault.Name }) {
			problems = append(problems, fmt.Errorf("there are two KeyVaults %q: the name of a vault is unique in the cluster, as in Azure", vault.Name))
		}
	}
	has := func(namespace, name string) bool {
		return slices.ContainsFunc(m.Vaults, func(one *v1alpha1.KeyVault) bool { return one.Namespace == namespace && one.Name == name })
	}
	for _, one := range m.Assignments {
		if vault := one.Spec.Scope.KeyVault; !has(one.Namespace, vault) {
			problems = append(problems, fmt.Errorf("RoleAssignment %q: there is no KeyVault %q in namespace %q", one.Name, vault, one.Namespace))
		}
	}
	for _, one := range m.Secrets {
		if !has(one.Namespace, one.Vault) {
			problems = append(problems, fmt.Errorf("the secret %q: there is no KeyVault %q in namespace %q", one.Name, one.Vault, one.Namespace))
		}
	}
	return errors.Join(problems...)
}
