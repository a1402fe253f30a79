package suite

import (
	"fmt"
	"strings"
)

// Expectation is something that must hold of what came back.
type Expectation struct {
	// says is what must hold, in a few words.
	says string

	// ours marks what only we chose.
	ours bool

	check func(*seen) error
}

// seen is what came back, and what is known of who answered.
type seen struct {
	answers []answer
	known   *knowledge
	azure   bool
}

// last is the answer that expectations are about, save those that say otherwise.
func (s *seen) last() answer { return s.answers[len(s.answers)-1] }

func (s *seen) only(a answer) *seen { return &seen{[]answer{a}, s.known, s.azure} }

// holds is nil where the expectation does.
func (e Expectation) holds(s *seen) error {
	if e.ours && s.azure {
		return nil
	}
	return e.check(s)
}

// skipError says that a case means nothing for this target.
type skipError struct{ reason string }

func (e *skipError) Error() string { return e.reason }

// of makes an expectation of the last answer.
func of(says string, check func(answer) error) Expectation {
	return Expectation{says: says, check: func(s *seen) error {
		if err := check(s.last()); err != nil {
			return fmt.Errorf("%s: %w", says, err)
		}
		return nil
	}}
}

// ours is an expectation that only we chose.
func ours(e Expectation) Expectation {
	e.ours = true
	return e
}

// all joins expectations. The first that does not hold is told of: the others mostly follow from it.
func all(parts ...Expectation) Expectation {
	return Expectation{says: and(parts), check: func(s *seen) error {
		for _, part := range parts {
			if err := part.holds(s); err != nil {
				return err
			}
		}
		return nil
	}}
}

// inOurWords expects an answer of which only the status is known to be Azure's.
func inOurWords(wanted int, e Expectation) Expectation {
	joined := all(status(wanted), ours(e))
	joined.says = e.says
	return joined
}

// and says several expectations in a line.
func and(parts []Expectation) string {
	var says []string
	for _, part := range parts {
		if part.says != "" {
			says = append(says, part.says)
		}
	}
	return strings.Join(says, ", ")
}

// either holds where one of two does.
func either(one, other Expectation) Expectation {
	says := one.says + " OR " + other.says
	return Expectation{says: says, check: func(s *seen) error {
		first := one.holds(s)
		if first == nil {
			return nil
		}
		if second := other.holds(s); second != nil {
			return fmt.Errorf("neither: %w; nor: %w", first, second)
		}
		return nil
	}}
}

// each expects something of every answer.
func each(e Expectation) Expectation {
	return Expectation{says: "each: " + e.says, check: func(s *seen) error {
		for i, answer := range s.answers {
			if err := e.holds(s.only(answer)); err != nil {
				return fmt.Errorf("answer %d: %w", i+1, err)
			}
		}
		return nil
	}}
}

// nth expects something of an answer that is not the last. The first is 1.
func nth(n int, e Expectation) Expectation {
	return Expectation{says: fmt.Sprintf("answer %d: %s", n, e.says), check: func(s *seen) error {
		if err := e.holds(s.only(s.answers[n-1])); err != nil {
			return fmt.Errorf("answer %d: %w", n, err)
		}
		return nil
	}}
}

// unless skips a case where the last answer is such that there is nothing to expect.
func unless(says string, means func(answer) bool) Expectation {
	return Expectation{check: func(s *seen) error {
		if means(s.last()) {
			return &skipError{says}
		}
		return nil
	}}
}
