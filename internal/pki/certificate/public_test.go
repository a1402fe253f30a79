package certificate

import (
	"crypto/tls"
	"testing"
)

// A public host has the certificate that is for it, and whatever happens to that one, all other names have the server's own.
func TestPublicHostsHaveACertificateOfTheirOwn(t *testing.T) {
	t.Parallel()
	own, public := newWorld(t), newWorld(t)
	public.names = []string{"orders.vault.azure.net"}
	both := &WithPublic{own.kept, public.kept}
	check := func(when, host, want string) {
		t.Helper()
		got, err := both.GetCertificate(&tls.ClientHelloInfo{ServerName: host})
		if (err == nil) != (want != "") || err == nil && got.Leaf.DNSNames[0] != want {
			t.Errorf("%s: %s has %+v, error %v", when, host, got, err)
		}
	}
	public.look(1)
	check("without its own one", public.names[0], public.names[0])
	check("without its own one", names[0], "")
	if both.Ready() {
		t.Error("it is ready without a certificate of its own")
	}
	own.look(1)
	if !both.Ready() {
		t.Error("it is not ready")
	}
	check("with both", "ORDERS.vault.azure.net", public.names[0])
	check("with both", "other.vault.azure.net", names[0])
	check("with both", names[0], names[0])
	public.after(Lifetime)
	check("when the public one has expired", public.names[0], names[0])
}
