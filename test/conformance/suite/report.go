package suite

import (
	"fmt"
	"regexp"
	"strings"
)

// tokenText matches tokens, which must not appear in reports.
var tokenText = regexp.MustCompile(`\bey[\w-]{8,}\.[\w-]+\.[\w-]*`)

// String returns a line per result, and more for a failure, without tokens.
func (r Result) String() string { return tokenText.ReplaceAllString(r.text(), "TOKEN") }

func (r Result) text() string {
	line := fmt.Sprintf("%-4s %s", r.Outcome, r.Case.Name)
	if r.Outcome == Skipped {
		return line + " (" + r.Reason + ")"
	}
	if r.Outcome == OK {
		return line
	}
	var text strings.Builder
	text.WriteString(line)
	for i, request := range r.asked {
		fmt.Fprintf(&text, "\n     asked:    %s", request)
		if i < len(r.answers) {
			fmt.Fprintf(&text, "\n     came:     %s", r.answers[i])
		}
	}
	fmt.Fprintf(&text, "\n     expected: %s", r.Case.Expects())
	for _, failure := range r.Failures {
		fmt.Fprintf(&text, "\n     wrong:    %v", failure)
	}
	return text.String()
}

// Listing describes a case in a line.
func Listing(c Case) string {
	mark := ""
	if c.OurChoice {
		mark = " (our choice)"
	}
	return fmt.Sprintf("%s%s: %s -> %s", c.Name, mark, c.Asks(), c.Expects())
}

// Summary counts outcomes.
func Summary(results []Result) string {
	counts := map[Outcome]int{}
	for _, result := range results {
		counts[result.Outcome]++
	}
	return fmt.Sprintf("%d ok, %d failed, %d skipped", counts[OK], counts[Failed], counts[Skipped])
}

// AnyFailed reports whether a case failed.
func AnyFailed(results []Result) bool {
	for _, result := range results {
		if result.Outcome == Failed {
			return true
		}
	}
	return false
}
