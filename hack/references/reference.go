package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
)

// reference is one place in a file that names another place.
type reference struct {
	line int

	// page is the path or name of a page, and fragment the heading that a link leads to.
	page, fragment string

	// section, points and title are what a comment cites of the page.
	section string
	points  []string
	title   string
}

var (
	// citation matches a page in a comment with what follows it. A comment may be broken into lines anywhere.
	citation = regexp.MustCompile(`([A-Za-z0-9_./-]+\.md)\b(?:,? sections? ([0-9]+))?(?:, points? ([0-9]+(?:(?:, | and | to )[0-9]+)*))?(?:, "([^"]+)")?`)

	number = regexp.MustCompile(`[0-9]+`)

	// link matches a Markdown link into this repository.
	link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

	// code matches what looks like a link in Markdown but is code.
	code = regexp.MustCompile("(?s)```.*?\n```|`[^`\n]*`")
)

// citations returns the pages that the comments of a Go file cite.
func citations(content string) ([]reference, error) {
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, "", content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("read its comments: %w", err)
	}
	var found []reference
	for _, group := range file.Comments {
		text := strings.Join(strings.Fields(group.Text()), " ")
		for _, match := range citation.FindAllStringSubmatch(text, -1) {
			found = append(found, reference{
				line: positions.Position(group.Pos()).Line, page: match[1], section: match[2],
				points: number.FindAllString(match[3], -1), title: match[4],
			})
		}
	}
	return found, nil
}

// links returns the links of a Markdown page into this repository.
func links(content string) ([]reference, error) {
	content = code.ReplaceAllStringFunc(content, func(text string) string {
		return strings.Repeat("\n", strings.Count(text, "\n"))
	})
	var found []reference
	for i, line := range strings.Split(content, "\n") {
		for _, match := range link.FindAllStringSubmatch(line, -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			page, fragment, _ := strings.Cut(match[1], "#")
			found = append(found, reference{line: i + 1, page: page, fragment: fragment})
		}
	}
	return found, nil
}
