package suite

import (
	"slices"
	"strings"
)

// Case is something to ask, and what must come back.
type Case struct {
	// Name is a path: the endpoint first, what is tried last.
	Name string

	// OurChoice marks what Azure neither documents nor was seen to do: it is not asked of a real virtual machine.
	OurChoice bool

	conversation conversation
	expectations []Expectation
}

// Cases are all there are.
func Cases() []Case {
	return slices.Concat(
		commonCases(),
		methodCases(),
		versionsCases(),
		instanceCases(),
		instanceFieldCases(),
		tokenCases(),
		selectorCases(),
		infoCases(),
		attestedCases(),
		envelopeCases(),
		eventsCases(),
		loadBalancerCases(),
		malformedCases(),
	)
}

// ask makes a case of one request, or of a conversation.
func ask(name string, what asker, want ...Expectation) Case {
	return Case{Name: name, conversation: what.conversation(), expectations: want}
}

// ourChoice marks a case as one that Azure may answer in another way.
func (c Case) ourChoice() Case {
	c.OurChoice = true
	return c
}

// Asks says what is asked, in a line.
func (c Case) Asks() string { return c.conversation.String() }

// Expects says what must come back, in a line.
func (c Case) Expects() string { return and(c.expectations) }

// sortedByName puts cases that come from a map into an order.
func sortedByName(cases []Case) []Case {
	slices.SortStableFunc(cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return cases
}
