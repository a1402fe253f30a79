package webhook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// senders send a review over and over, each over its own connection, as soon as it has the last answer. They are a process of their own,
// as the API server is: then the webhook's processor time and memory are its own, and answers do not wait for it to be seen.
type senders struct {
	Address  string
	Path     string
	Together int

	// Burst is whether all wait until each has its answer, before they send again.
	Burst bool

	Count  int64
	Review []byte
}

// answerTimes are the times until answers came.
type answerTimes struct{ Median, Percentile99 time.Duration }

// sendersVariable has the senders in JSON for the process that runs them.
const sendersVariable = "KUBE_IMDS_SENDERS"

func TestMain(m *testing.M) {
	if asked := os.Getenv(sendersVariable); asked != "" {
		if err := runSenders(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// send runs the senders.
func (s senders) send(b *testing.B) answerTimes {
	b.Helper()
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	command := exec.CommandContext(b.Context(), program)
	command.Env = append(os.Environ(), sendersVariable+"=1")
	command.Stdin = bytes.NewReader(marshal(b, s))
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		b.Fatal("send reviews:", err)
	}
	var times answerTimes
	if err := json.Unmarshal(output, &times); err != nil {
		b.Fatal(err)
	}
	return times
}

func runSenders(in io.Reader, out io.Writer) error {
	var s senders
	if err := json.NewDecoder(in).Decode(&s); err != nil {
		return err
	}
	var connections []*connection
	for range s.Together {
		dialed, err := s.dial()
		if err != nil {
			return err
		}
		defer dialed.Close()
		connections = append(connections, dialed)
	}
	times, failures := make([][]time.Duration, s.Together), make([]error, s.Together)
	ask := func(until int64, sent *atomic.Int64) {
		var all sync.WaitGroup
		for i, connection := range connections {
			all.Go(func() {
				for sent.Add(1) <= until && failures[i] == nil {
					start := time.Now()
					failures[i] = connection.ask()
					times[i] = append(times[i], time.Since(start))
					if s.Burst {
						return
					}
				}
			})
		}
		all.Wait()
	}
	for sent := new(atomic.Int64); sent.Load() < s.Count; {
		ask(s.Count, sent)
	}
	if err := errors.Join(failures...); err != nil {
		return err
	}
	sorted := slices.Sorted(slices.Values(slices.Concat(times...)))
	return json.NewEncoder(out).Encode(answerTimes{sorted[len(sorted)/2], sorted[len(sorted)*99/100]})
}

// connection sends one review again and again, with as little work as possible: the machine's processors are to be the webhook's.
type connection struct {
	*tls.Conn
	answers *bufio.Reader
	request []byte
}

// dial connects to the webhook, and has it answer once.
func (s senders) dial() (*connection, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	made, err := dialer.DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return nil, err
	}
	secure, _ := made.(*tls.Conn)
	dialed := &connection{secure, bufio.NewReader(made), fmt.Appendf(nil,
		"POST %s?timeout=10s HTTP/1.1\r\nHost: kube-imds-webhook.kube-imds-system.svc\r\nContent-Type: application/json\r\n"+
			"Accept: application/json, */*\r\nUser-Agent: kube-apiserver-admission\r\nContent-Length: %d\r\n\r\n%s", s.Path, len(s.Review), s.Review)}
	return dialed, dialed.ask()
}

func (c *connection) ask() error {
	if _, err := c.Write(c.request); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if !isAllowed(response.StatusCode, answer) {
		return fmt.Errorf("got %d %s", response.StatusCode, answer)
	}
	return nil
}
