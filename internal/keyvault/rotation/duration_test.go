package rotation

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

func parsed(t testing.TB, text string) Duration {
	t.Helper()
	duration, err := ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return duration
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	read, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestDurations(t *testing.T) {
	t.Parallel()
	const from = "2026-01-31T12:00:00Z"
	for text, want := range map[string]struct {
		after, before string
		nominal       time.Duration
	}{
		"P90D":             {"2026-05-01T12:00:00Z", "2025-11-02T12:00:00Z", 90 * day},
		"P18M":             {"2027-07-31T12:00:00Z", "2024-07-31T12:00:00Z", 540 * day},
		"P2Y":              {"2028-01-31T12:00:00Z", "2024-01-31T12:00:00Z", 730 * day},
		"P1Y10D":           {"2027-02-10T12:00:00Z", "2025-01-21T12:00:00Z", 375 * day},
		"P4W":              {"2026-02-28T12:00:00Z", "2026-01-03T12:00:00Z", 28 * day},
		"PT48H":            {"2026-02-02T12:00:00Z", "2026-01-29T12:00:00Z", 2 * day},
		"P1M":              {"2026-02-28T12:00:00Z", "2025-12-31T12:00:00Z", 30 * day},
		"P3M":              {"2026-04-30T12:00:00Z", "2025-10-31T12:00:00Z", 90 * day},
		"P11M":             {"2026-12-31T12:00:00Z", "2025-02-28T12:00:00Z", 330 * day},
		"P1MT1S":           {"2026-02-28T12:00:01Z", "2025-12-31T11:59:59Z", 30*day + time.Second},
		"P1Y1M1W1DT1H1M1S": {"2027-03-08T13:01:01Z", "2024-12-23T10:58:59Z", 403*day + time.Hour + time.Minute + time.Second},
		"P0D":              {from, from, 0},
		"P100Y":            {"2126-01-31T12:00:00Z", "1926-01-31T12:00:00Z", 36500 * day},
	} {
		duration := parsed(t, text)
		if got := duration.After(at(t, from)); !got.Equal(at(t, want.after)) {
			t.Errorf("%s after %s is %s, want %s", text, from, got, want.after)
		}
		if got := duration.Before(at(t, from)); !got.Equal(at(t, want.before)) {
			t.Errorf("%s before %s is %s, want %s", text, from, got, want.before)
		}
		if duration.nominal() != want.nominal || duration.String() != text {
			t.Errorf("%s is %s, and %s nominally", text, duration, duration.nominal())
		}
	}
}

// Months are those of UTC, wherever the clock is.
func TestMonthsAreThoseOfUTC(t *testing.T) {
	t.Parallel()
	// It is the 31st here, and the 30th in UTC.
	east := time.Date(2026, 3, 31, 1, 0, 0, 0, time.FixedZone("east", 8*3600))
	if got, want := parsed(t, "P1M").After(east), at(t, "2026-04-30T17:00:00Z"); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDurationsInJSON(t *testing.T) {
	t.Parallel()
	var read struct{ In Duration }
	if err := json.Unmarshal([]byte(`{"In":"P018M"}`), &read); err != nil {
		t.Fatal(err)
	}
	if written, err := json.Marshal(read); err != nil || string(written) != `{"In":"P018M"}` {
		t.Errorf("got %s, error %v", written, err)
	}
	before := read.In
	err := json.Unmarshal([]byte(`{"In":"P18"}`), &read)
	if _, ok := errors.AsType[*refusal.Error](err); !ok || read.In != before {
		t.Errorf("error = %v, read %s", err, read.In)
	}
}

var malformed = []string{
	"", "P", "PT", "P1DT", "T1H", "1D", "90D", "P90", "PD", "p90d", " P90D", "P90D ", "P90D\n", "-P90D", "+P90D", "P-90D", "P+90D", "P1.5D", "P1,5D", "P1D1Y", "P1H", "PT1D",
	"P1M1M", "P٣D", "P123456D", "P101Y", "P36501D", "P100YT1S", "P99999Y99999M99999W99999DT999999H999999M999999S", "P00000000000000000000000000000000000000000000000000000000000000001D",
	"2026-01-01/P1D", "P0001-01-01T00:00:00", "90.00:00:00",
}

func TestMalformedDurations(t *testing.T) {
	t.Parallel()
	for _, text := range append(malformed, strings.Repeat("P1D", 1<<20)) {
		got, err := ParseDuration(text)
		refused, ok := errors.AsType[*refusal.Error](err)
		if !ok || !strings.Contains(refused.Message, "not a duration in ISO 8601") || len(refused.Message) > 200 || got != (Duration{}) {
			t.Errorf("%.40q: got %+v, error %.300v", text, got, err)
		}
	}
}

// Whatever is read, it is written the same, and lies within a hundred years on either side.
func FuzzParseDuration(f *testing.F) {
	for _, text := range append([]string{"P90D", "P18M", "P2Y", "P1Y10D", "PT48H", "P4W"}, malformed...) {
		f.Add(text)
	}
	from := at(f, "2026-11-27T12:00:00Z")
	f.Fuzz(func(t *testing.T, text string) {
		duration, err := ParseDuration(text)
		if err != nil {
			if _, ok := errors.AsType[*refusal.Error](err); !ok {
				t.Errorf("error = %v", err)
			}
			return
		}
		if duration.String() != text || strings.ContainsAny(text, "-+ \n") {
			t.Errorf("%q is read as %q", text, duration)
		}
		after, before := duration.After(from), duration.Before(from)
		if after.Before(from) || before.After(from) || after.Year() > 2127 || before.Year() < 1925 || duration.nominal() < 0 || duration.nominal() > maxDays*day {
			t.Errorf("%q is from %s to %s, and %s nominally", text, before, after, duration.nominal())
		}
	})
}
