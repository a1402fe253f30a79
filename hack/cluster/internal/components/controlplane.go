package components

import (
	"fmt"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
	"github.com/kube-imds/kube-imds/hack/cluster/internal/process"
)

// Components returns the daemons of a cluster.
type Components struct {
	layout.Layout

	// Binaries is the folder of the binaries.
	Binaries string
}

// APIServer is the name of the API server's daemon.
const APIServer = "kube-apiserver"

// APIServerURL returns the API server's address inside the cluster.
func APIServerURL() string { return fmt.Sprintf("https://%s:%d", layout.HubIP, layout.APIPort) }

// Credentials returns a path in the folder of certificates and kubeconfigs.
func (c Components) Credentials(elements ...string) string {
	return c.Path(append([]string{"credentials"}, elements...)...)
}

// ControlPlane returns the daemons of the control plane in the order of their start.
func (c Components) ControlPlane() []process.Daemon {
	return []process.Daemon{c.etcd(), c.apiServer(), c.controllerManager(), c.scheduler()}
}

func (c Components) etcd() process.Daemon {
	return c.daemon("etcd", c.Hub(), serves(c.Hub(), "http://127.0.0.1:2379/readyz"), "etcd",
		"--data-dir="+c.Path("etcd"),
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=default=http://127.0.0.1:2380",
		// A local cluster may be lost in a crash of the machine.
		"--unsafe-no-fsync")
}

func (c Components) apiServer() process.Daemon {
	return c.daemon(APIServer, c.Hub(), serves(c.Hub(), APIServerURL()+"/readyz"), APIServer,
		"--etcd-servers=http://127.0.0.1:2379",
		"--advertise-address="+layout.HubIP,
		fmt.Sprintf("--secure-port=%d", layout.APIPort),
		"--service-cluster-ip-range="+layout.ServiceRange,
		"--tls-cert-file="+c.Credentials("apiserver.crt"),
		"--tls-private-key-file="+c.Credentials("apiserver.key"),
		"--client-ca-file="+c.Credentials("ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--service-account-issuer=https://kubernetes.default.svc."+layout.ClusterDomain,
		"--service-account-signing-key-file="+c.Credentials("service-accounts.key"),
		"--service-account-key-file="+c.Credentials("service-accounts.key"),
		"--kubelet-client-certificate="+c.Credentials("apiserver-kubelet-client.crt"),
		"--kubelet-client-key="+c.Credentials("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		// No kube-proxy runs beside this API server, so it calls webhooks by their endpoints.
		"--enable-aggregator-routing=true")
}

func (c Components) controllerManager() process.Daemon {
	return c.daemon("kube-controller-manager", c.Hub(), serves(c.Hub(), "https://127.0.0.1:10257/healthz"), "kube-controller-manager",
		"--kubeconfig="+c.Credentials("controller-manager.kubeconfig"),
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		"--flex-volume-plugin-dir="+c.Path("volume-plugins"),
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.Credentials("service-accounts.key"),
		"--root-ca-file="+c.Credentials("ca.crt"),
		"--cluster-signing-cert-file="+c.Credentials("ca.crt"),
		"--cluster-signing-key-file="+c.Credentials("ca.key"))
}

func (c Components) scheduler() process.Daemon {
	return c.daemon("kube-scheduler", c.Hub(), serves(c.Hub(), "https://127.0.0.1:10259/healthz"), "kube-scheduler",
		"--kubeconfig="+c.Credentials("scheduler.kubeconfig"),
		"--bind-address=127.0.0.1",
		"--leader-elect=false")
}
