package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inNamespace runs a test in a new network namespace with lo up. Processes that it starts are in it too. The machine's own
// addresses are never touched.
func inNamespace(t *testing.T, test func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make network namespaces")
	}
	done := make(chan struct{})
	skipped := ""
	go func() {
		defer close(done)
		// Never unlocked, so that the thread ends with the goroutine and no other goroutine enters the namespace.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			skipped = "no network namespace can be made here: " + err.Error()
			return
		}
		loopback, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(loopback)
		}
		if err != nil {
			t.Errorf("set lo up: %v", err)
			return
		}
		test()
	}()
	<-done
	if skipped != "" {
		t.Skip(skipped)
	}
}

// addressIsThere reports whether 169.254.169.254 is on lo of the calling thread's namespace.
func addressIsThere(t *testing.T) bool {
	t.Helper()
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		t.Error(err)
		return false
	}
	addresses, err := netlink.AddrList(loopback, netlink.FAMILY_V4)
	if err != nil {
		t.Error(err)
	}
	return slices.ContainsFunc(addresses, func(address netlink.Addr) bool { return address.IP.String() == "169.254.169.254" })
}

// askAt requests a token from the calling thread's namespace. An http.Client might use another thread.
func askAt(t *testing.T, address string) (status int, body string) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer connection.Close()
	_, err = io.WriteString(connection, "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=r HTTP/1.1\r\n"+
		"Host: "+address+"\r\nMetadata: true\r\nConnection: close\r\n\r\n")
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, string(content)
}

func TestClaimedAddressIsServedUntilTheEnd(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		inNamespace(t, func() {
			p := start(t, "--claim-address")
			for _, address := range []string{"169.254.169.254:80", strings.TrimPrefix(p.baseURL(), "http://")} {
				if status, body := askAt(t, address); status != http.StatusOK || !strings.Contains(body, "access_token") {
					t.Errorf("%s: got %d %s", address, status, body)
				}
			}
			if !strings.Contains(p.printed, "and http://169.254.169.254\n") {
				t.Errorf("address is not printed:\n%s", p.printed)
			}
			p.stop(signal)
			if addressIsThere(t) {
				t.Errorf("the address remains after %v", signal)
			}
		})
	}
}

func TestExistingAddressIsNotClaimed(t *testing.T) {
	t.Parallel()
	inNamespace(t, func() {
		first := start(t, "--claim-address")
		message := refuse(t, "", "--claim-address", "--listen", "127.0.0.1:0")
		if !strings.Contains(message, "169.254.169.254 is an address of this machine already") {
			t.Errorf("got %s", message)
		}
		if status, _ := askAt(t, "169.254.169.254:80"); status != http.StatusOK {
			t.Errorf("first process: status = %d", status)
		}
		first.stop(syscall.SIGTERM)
	})
}

func TestAddressIsReleasedIfItCannotBeServed(t *testing.T) {
	t.Parallel()
	inNamespace(t, func() {
		squatter, err := net.Listen("tcp", "0.0.0.0:80")
		if err != nil {
			t.Error(err)
			return
		}
		defer squatter.Close()
		message := refuse(t, "", "--claim-address", "--listen", "127.0.0.1:0")
		if !strings.Contains(message, "port 80") || addressIsThere(t) {
			t.Errorf("got %s; the address remains: %v", message, addressIsThere(t))
		}
	})
}

func TestClaimWithoutRoot(t *testing.T) {
	t.Parallel()
	inNamespace(t, func() {
		command := exec.CommandContext(t.Context(), program, "dev", "--claim-address", "--listen", "127.0.0.1:0")
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		message := fail(t, command)
		if !strings.Contains(message, "root") || addressIsThere(t) {
			t.Errorf("got %s", message)
		}
	})
}
