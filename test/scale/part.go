package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/testing/address"
	"github.com/kube-imds/kube-imds/internal/testing/program"
	"github.com/kube-imds/kube-imds/internal/testing/scrape"
)

const (
	// tokenSeconds is the validity of the parts' own tokens. Nobody renews them here.
	tokenSeconds = 2 * 60 * 60

	// readyPatience bounds the start of a part.
	readyPatience = 2 * time.Minute
)

// wanted describes a part to start.
type wanted struct {
	part       install.Part
	name, node string
	arguments  []string
	env        []string

	// by is the link by which the part reaches the API server; nil stands for none.
	by *link

	// addresses are free addresses; without, some are looked for.
	addresses []string

	// prepare returns more arguments, when the pod is there.
	prepare func(ctx context.Context, made *part) ([]string, error)
}

// part is a part of the installation that runs in the place of its pod.
type part struct {
	program.Process
	part    install.Part
	pod     *corev1.Pod
	address string
	metrics string
	ready   string
	started time.Time

	// log is the file with what it prints.
	log *os.File

	// took is how long it took to become ready.
	took time.Duration
}

// start starts a part, and waits until it is ready.
func (in *installed) start(ctx context.Context, w wanted) (*part, error) {
	made, err := in.launch(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("start the %s of node %s: %w", w.part, w.node, err)
	}
	in.mu.Lock()
	in.running = append(in.running, made)
	in.mu.Unlock()
	return made, made.untilReady(ctx)
}

// launch creates a part's pod and starts its program.
func (in *installed) launch(ctx context.Context, w wanted) (*part, error) {
	if w.addresses == nil {
		var err error
		if w.addresses, err = address.Free(addressesOf); err != nil {
			return nil, err
		}
	}
	made := &part{part: w.part, address: w.addresses[0], metrics: w.addresses[1], ready: "http://" + w.addresses[2] + "/readyz"}
	made.pod = partPod(w)
	if err := in.Create(ctx, made.pod); err != nil {
		return nil, err
	}
	kubeconfig, err := in.credentials(ctx, made.pod, w.by)
	if err != nil {
		return nil, err
	}
	arguments := append([]string{"--namespace=" + installation, "--log-level=error",
		"--metrics-address=" + w.addresses[1], "--health-address=" + w.addresses[2]}, w.arguments...)
	if w.part != install.Controller {
		arguments = append(arguments, "--listen="+w.addresses[0])
	}
	if w.prepare != nil {
		more, err := w.prepare(ctx, made)
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, more...)
	}
	_, port, _ := strings.Cut(w.addresses[3], ":")
	for i := range arguments {
		arguments[i] = strings.ReplaceAll(arguments[i], "{port}", port)
	}
	command := exec.CommandContext(ctx, in.programs[w.part], arguments...)
	command.Env = append(append(os.Environ(), "KUBECONFIG="+kubeconfig), w.env...)
	if made.log, err = os.Create(filepath.Join(in.folder, made.pod.Name+".log")); err != nil {
		return nil, err
	}
	defer made.log.Close()
	command.Stderr, made.Process, made.started = made.log, program.Process{Cmd: command}, time.Now()
	return made, command.Start()
}

// addressesOf is how many addresses a part listens on at the most.
const addressesOf = 4

func partPod(w wanted) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: installation, Name: cmp.Or(w.name, string(w.part)+"-"+w.node)},
		Spec: corev1.PodSpec{
			NodeName: w.node, ServiceAccountName: names.ServiceAccount(w.part), Containers: []corev1.Container{{Name: "part", Image: "part"}},
		},
	}
}

// credentials writes a kubeconfig with what kubelet gives a pod: a token bound to it.
func (in *installed) credentials(ctx context.Context, pod *corev1.Pod, by *link) (string, error) {
	token, err := in.token(ctx, pod, "", tokenSeconds)
	if err != nil {
		return "", err
	}
	server := in.config.Host
	if by != nil {
		server = "https://" + by.address()
	}
	path := filepath.Join(in.folder, pod.Name+".kubeconfig")
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: server, CertificateAuthorityData: in.config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}, path)
	return path, err
}

// token returns a token of a pod's ServiceAccount that is bound to the pod; "" stands for the API server's audience.
func (in *installed) token(ctx context.Context, pod *corev1.Pod, audience string, seconds int64) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
		ExpirationSeconds: &seconds,
	}}
	if audience != "" {
		request.Spec.Audiences = []string{audience}
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Spec.ServiceAccountName}}
	if err := in.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("request a token of pod %s: %w", pod.Name, err)
	}
	return request.Status.Token, nil
}

// untilReady waits until the part is ready.
func (p *part) untilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ready, nil); err != nil {
			return err
		} else if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				p.took = time.Since(p.started)
				return nil
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			printed, _ := os.ReadFile(p.log.Name())
			return fmt.Errorf("wait until pod %s is ready: %w\n%s", p.pod.Name, ctx.Err(), printed)
		}
	}
}

// memory is what a part takes.
type memory struct{ resident, heap int64 }

func (p *part) memory(ctx context.Context) (memory, error) {
	resident, err := p.ResidentBytes()
	if err != nil {
		return memory{}, err
	}
	metrics, err := scrape.From(ctx, p.metrics)
	return memory{resident, int64(metrics.Sum("go_memstats_heap_inuse_bytes", ""))}, err
}

// end ends a part and deletes its pod.
func (in *installed) end(ctx context.Context, one *part) error {
	one.Stop()
	in.mu.Lock()
	defer in.mu.Unlock()
	for i, other := range in.running {
		if other == one {
			in.running = append(in.running[:i:i], in.running[i+1:]...)
			break
		}
	}
	if err := in.Delete(ctx, one.pod, client.GracePeriodSeconds(0)); err != nil {
		return fmt.Errorf("delete pod %s: %w", one.pod.Name, err)
	}
	return nil
}
