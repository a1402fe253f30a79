package suite

import (
	"fmt"
	"strings"
)

// Expectation is a condition on an answer.
type Expectation struct {
	// says describes it in a few words.
	says string

	// ours marks our own choice.
	ours bool

	check func(*seen) error
}

// seen holds the answers of a case and what is known of the target.
type seen struct {
	answers []answer
	known   *knowledge
	azure   bool
}

// last returns the answer that most expectations are about.
func (s *seen) last() answer { return s.answers[len(s.answers)-1] }

func (s *seen) only(a answer) *seen { return &seen{[]answer{a}, s.known, s.azure} }

// holds returns nil if the expectation is fulfilled.
func (e Expectation) holds(s *seen) error {
	if e.ours && s.azure {
		return nil
	}
	return e.check(s)
}

// skipError means that a case does not apply to this target.
type skipError struct{ reason string }

func (e *skipError) Error() string { return e.reason }

// of returns an expectation of the last answer.
func of(says string, check func(answer) error) Expectation {
	return Expectation{says: says, check: func(s *seen) error {
		if err := check(s.last()); err != nil {
			return fmt.Errorf("%s: %w", says, err)
		}
		return nil
	}}
}

// ours marks an expectation as our own choice.
func ours(e Expectation) Expectation {
	e.ours = true
	return e
}

// all joins expectations and reports the first failure: the others mostly follow from it.
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

// and describes several expectations in a line.
func and(parts []Expectation) string {
	var says []string
	for _, part := range parts {
		if part.says != "" {
			says = append(says, part.says)
		}
	}
	return strings.Join(says, ", ")
}

// either expects one of two.
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

// each applies an expectation to every answer.
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

// nth applies an expectation to an earlier answer. The first is 1.
func nth(n int, e Expectation) Expectation {
	return Expectation{says: fmt.Sprintf("answer %d: %s", n, e.says), check: func(s *seen) error {
		if err := e.holds(s.only(s.answers[n-1])); err != nil {
			return fmt.Errorf("answer %d: %w", n, err)
		}
		return nil
	}}
}

// unless skips a case if the last answer leaves nothing to expect.
func unless(says string, means func(answer) bool) Expectation {
	return Expectation{check: func(s *seen) error {
		if means(s.last()) {
			return &skipError{says}
		}
		return nil
	}}
}
