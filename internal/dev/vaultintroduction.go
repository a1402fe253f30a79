package dev

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyvault"
)

// vaultsIntroduction says how to use vaults.
type vaultsIntroduction struct {
	Vaults []vaultIntroduction

	// CertificateFile is a word of a shell.
	CertificateFile string

	// Unresolved are the host names that this machine does not resolve to itself, and Address is what they are to be.
	Unresolved []string
	Address    string
}

// vaultIntroduction says where a vault is.
type vaultIntroduction struct{ Namespace, Name, URL string }

func introduceVaults(ctx context.Context, served *vaultServer, all map[string]*keyvault.Vault) *vaultsIntroduction {
	host, _, _ := net.SplitHostPort(served.listener.Addr().String())
	introduced := &vaultsIntroduction{CertificateFile: quoted(served.certificateFile), Address: host}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		vault := all[name]
		introduced.Vaults = append(introduced.Vaults, vaultIntroduction{vault.Namespace, vault.Name, "https://" + vault.Host})
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	for _, one := range introduced.Vaults {
		if host := one.Name + "." + vaultDomain; !isLocal(ctx, host) {
			introduced.Unresolved = append(introduced.Unresolved, host)
		}
	}
	return introduced
}

// lookupTimeout bounds the look-up of all names.
const lookupTimeout = 2 * time.Second

// isLocal reports whether a name is resolved, and to loopback addresses only.
func isLocal(ctx context.Context, name string) bool {
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	return err == nil && !slices.ContainsFunc(addresses, func(one netip.Addr) bool { return !one.Unmap().IsLoopback() })
}

var plainWord = regexp.MustCompile(`^[\w./:=@%+,-]+$`)

// quoted returns a text as a word of a shell.
func quoted(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
