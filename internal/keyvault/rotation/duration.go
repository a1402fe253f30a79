package rotation

import (
	"regexp"
	"strconv"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// Duration is a duration in ISO 8601, such as P90D, P18M, P1Y10D or PT48H. It keeps how it was written.
type Duration struct {
	text                string
	years, months, days int
	clock               time.Duration
}

// durations has the years, months, weeks, days, hours, minutes and seconds. Numbers have no signs and no fractions, and are short.
var durations = regexp.MustCompile(`^P(?:(\d{1,5})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?$`)

// maxDays bounds a duration: a hundred years are longer than any key should live, and within what times can be.
const maxDays = 36500

// ParseDuration reads a duration.
func ParseDuration(text string) (Duration, error) {
	malformed := refusal.New("%.64q is not a duration in ISO 8601 of at most a hundred years, such as P90D.", text)
	found := durations.FindStringSubmatch(text)
	// Without a number, or with nothing after the T, it says nothing.
	if found == nil || text[len(text)-1] == 'P' || text[len(text)-1] == 'T' {
		return Duration{}, malformed
	}
	var numbers [7]int
	for i := range numbers {
		// What is left out is 0.
		numbers[i], _ = strconv.Atoi(found[i+1])
	}
	duration := Duration{
		text: text, years: numbers[0], months: numbers[1], days: 7*numbers[2] + numbers[3],
		clock: time.Duration(numbers[4])*time.Hour + time.Duration(numbers[5])*time.Minute + time.Duration(numbers[6])*time.Second,
	}
	if duration.nominal() > maxDays*day {
		return Duration{}, malformed
	}
	return duration, nil
}

// String returns the duration as it was written.
func (d Duration) String() string { return d.text }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.text), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err == nil {
		*d = parsed
	}
	return err
}

// After returns the time that is the duration after another one. Years and months are those of the calendar in UTC.
func (d Duration) After(from time.Time) time.Time { return d.shift(from, 1) }

// Before returns the time that is the duration before another one.
func (d Duration) Before(to time.Time) time.Time { return d.shift(to, -1) }

// shift moves a time to either side: by whole months first, at the end of shorter ones, and then by the rest.
func (d Duration) shift(at time.Time, sign int) time.Time {
	at = at.UTC()
	moved := at.AddDate(sign*d.years, sign*d.months, 0)
	if moved.Day() != at.Day() {
		// The 31st of a month with 30 days is the 1st of the next one: back to the last day of the month before.
		moved = moved.AddDate(0, 0, -moved.Day())
	}
	return moved.AddDate(0, 0, sign*d.days).Add(time.Duration(sign) * d.clock)
}

const day = 24 * time.Hour

// nominal is how long the duration is with years of 365 days and months of 30: what rules compare.
func (d Duration) nominal() time.Duration {
	days := 365*d.years + 30*d.months + d.days
	return time.Duration(min(days, maxDays+1))*day + d.clock
}
