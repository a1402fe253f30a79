package capability

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

var start = time.Unix(1_700_000_000, 0).UTC()

func TestTimeOfRenewal(t *testing.T) {
	t.Parallel()
	set := (Set{}).Renew(start)
	for name, test := range map[string]struct {
		set  Set
		now  time.Time
		want time.Duration
	}{
		"empty set":            {Set{}, start, 0},
		"at first":             {set, start, Period},
		"later":                {set, start.Add(time.Minute), Period - time.Minute},
		"period is over":       {set, start.Add(Period), 0},
		"long after":           {set, start.Add(24 * time.Hour), 0},
		"clock that is behind": {set, start.Add(-24 * time.Hour), Period},
		"after it was renewed": {set.Renew(start.Add(Period)), start.Add(Period), Period},
	} {
		if got := test.set.Due(test.now); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// A capability is valid for a period before it is used, while it is used, and for a period after.
func TestCapabilitiesOverlap(t *testing.T) {
	t.Parallel()
	var sets []Set
	for set := (Set{}).Renew(start); len(sets) < 5; set = set.Renew(start) {
		sets = append(sets, set)
	}
	for used := 1; used < 4; used++ {
		for period, want := range map[int]bool{used - 1: true, used: true, used + 1: true, used + 2: false, used - 2: false} {
			if period < 0 || period >= len(sets) {
				continue
			}
			if got := sets[period].Admits(sets[used].current); got != want {
				t.Errorf("capability of period %d is valid in period %d: %t", used, period, got)
			}
		}
	}
}

func TestInvalidCapabilities(t *testing.T) {
	t.Parallel()
	set := (Set{}).Renew(start)
	for _, capability := range []string{
		"", " ", "pods", set.current[1:], set.current + "a", strings.ToUpper(set.current), strings.Repeat("a", size), string(set.Encode()),
	} {
		if set.Admits(capability) || (Set{}).Admits(capability) {
			t.Errorf("%q is valid", capability)
		}
	}
}

func TestParseReadsWhatEncodeWrote(t *testing.T) {
	t.Parallel()
	set := (Set{}).Renew(start)
	if got := Parse(set.Encode()); got != set || got.IsEmpty() {
		t.Errorf("%+v is parsed as %+v", set, got)
	}
	now := start.Format(time.RFC3339)
	for _, text := range []string{
		"", "  ", "a b c " + now, set.next, set.next + " " + set.current + " " + now, string(set.Encode()) + " " + set.next,
		strings.Replace(string(set.Encode()), now, "yesterday", 1),
	} {
		if got := Parse([]byte(text)); !got.IsEmpty() {
			t.Errorf("%q is parsed as %+v", text, got)
		}
	}
}

// Kubernetes accepts only DNS names as elements of the path.
func TestPathsAreValid(t *testing.T) {
	t.Parallel()
	set := (Set{}).Renew(start)
	path := set.Path("pods.kube-imds.io")
	if path != "/"+set.current+"/pods" {
		t.Errorf("path = %s", path)
	}
	for _, step := range strings.Split(path[1:], "/") {
		if problems := validation.IsDNS1123Subdomain(step); len(problems) > 0 {
			t.Errorf("%q: %v", step, problems)
		}
	}
}

func TestCapabilitiesDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		seen[generate()] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 capabilities differ", len(seen))
	}
}
