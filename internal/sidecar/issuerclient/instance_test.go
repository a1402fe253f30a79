package issuerclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/imds"
)

func TestInstanceIsRead(t *testing.T) {
	t.Parallel()
	client := newIssuer(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"name":"n","vm_id":"v","vm_size":"s","location":"l","zone":"z","azure_environment":"a",`+
			`"subscription_id":"u","resource_group_name":"g","resource_id":"/r","tags":[{"name":"k","value":"v"}],`+
			`"computer_name":"c","platform_fault_domain":"1","vm_scale_set_name":"x","vm_scale_set_id":"/x",`+
			`"user_data":"d","custom_data":"e"}`)
	}).client(t)
	got, err := client.Instance(t.Context())
	want := &imds.Instance{
		Name: "n", VMID: "v", VMSize: "s", Location: "l", Zone: "z", AzureEnvironment: "a",
		SubscriptionID: "u", ResourceGroupName: "g", ResourceID: "/r", Tags: []imds.Tag{{Name: "k", Value: "v"}},
		ComputerName: "c", PlatformFaultDomain: "1", VMScaleSetName: "x", VMScaleSetID: "/x", UserData: "d", CustomData: "e",
	}
	if difference := cmp.Diff(want, got); err != nil || difference != "" {
		t.Errorf("%v (-want +got):\n%s", err, difference)
	}
}

// instances is a source that counts its questions and takes a second for each.
type instances struct {
	asked int
	name  string
	err   error
}

func (s *instances) Instance(context.Context) (*imds.Instance, error) {
	s.asked++
	time.Sleep(time.Second)
	if s.err != nil {
		return nil, s.err
	}
	return &imds.Instance{Name: s.name}, nil
}

func TestInstanceCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &instances{err: errors.New("away")}
		cache := NewInstanceCache(source, time.Now)
		want := func(when, name string, asked int) {
			t.Helper()
			instance, err := cache.Instance(t.Context())
			if name == "" && err == nil || name != "" && (err != nil || instance.Name != name) {
				t.Errorf("%s: %v, %v", when, instance, err)
			}
			if source.asked != asked {
				t.Errorf("%s: the source was asked %d times", when, source.asked)
			}
		}
		want("before the source answers", "", 1)
		want("right after", "", 1)
		time.Sleep(failurePause)
		source.err, source.name = nil, "first"
		want("when it answers", "first", 2)
		source.name = "second"
		want("while that is fresh", "first", 2)
		time.Sleep(instanceFresh)
		want("when it is not", "second", 3)
		time.Sleep(instanceFresh)
		source.err = errors.New("away")
		want("while the source is away", "second", 4)
		want("right after that", "second", 4)
	})
}

func TestInstanceCacheAsksOnceForMany(t *testing.T) {
	t.Parallel()
	source := &instances{err: errors.New("away")}
	now := time.Now()
	cache := NewInstanceCache(source, func() time.Time { return now })
	var asking sync.WaitGroup
	for range 10 {
		asking.Go(func() { cache.Instance(t.Context()) })
	}
	asking.Wait()
	if source.asked != 1 {
		t.Errorf("the source was asked %d times", source.asked)
	}
}
