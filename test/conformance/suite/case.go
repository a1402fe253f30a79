package suite

import (
	"slices"
	"strings"
)

// Case is a request with the expected answer.
type Case struct {
	// Name is a path that starts with the endpoint.
	Name string

	// OurChoice marks behavior that Azure neither documents nor was seen to have. It is not required of a real virtual machine.
	OurChoice bool

	conversation conversation
	expectations []Expectation
}

// Cases returns all cases.
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

// ask returns a case for a request or a conversation.
func ask(name string, what asker, want ...Expectation) Case {
	return Case{Name: name, conversation: what.conversation(), expectations: want}
}

// ourChoice marks a case that Azure may answer differently.
func (c Case) ourChoice() Case {
	c.OurChoice = true
	return c
}

// Asks describes the request in a line.
func (c Case) Asks() string { return c.conversation.String() }

// Expects describes the expected answer in a line.
func (c Case) Expects() string { return and(c.expectations) }

// sortedByName sorts cases that come from a map.
func sortedByName(cases []Case) []Case {
	slices.SortStableFunc(cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return cases
}
