package suite

import (
	"fmt"
	"strings"
)

// asInDocument expects the value at a path of the previous answer's document.
func asInDocument(path string) Expectation {
	return Expectation{says: "the value of " + path + " in the document, bare", check: func(s *seen) error {
		document, err := s.answers[0].document()
		if err != nil {
			return err
		}
		found := document.find(path)
		if found == nil || found.text != s.last().body {
			return fmt.Errorf("document has %s, leaf has %q", shown(found), s.last().body)
		}
		return nil
	}}
}

// listingOrNothing is listing, except that an empty container lists nothing.
var listingOrNothing = Expectation{says: "a line for each child", check: func(s *seen) error {
	if document, err := s.answers[0].document(); err == nil && len(document.elements) == 0 {
		return body("").holds(s)
	}
	return listing.holds(s)
}}

// tagsAgree expects tags to be tagsList as a:b;c:d.
var tagsAgree = ofDocument("tags is tagsList as name:value;name:value", func(document *node, _ *knowledge) error {
	list, tags := document.find("tagsList"), document.find("tags")
	if list == nil || tags == nil {
		return fmt.Errorf("one of them is missing")
	}
	var pairs []string
	for _, tag := range list.elements {
		name, value := tag.find("name"), tag.find("value")
		if name == nil || value == nil {
			return fmt.Errorf("an element of tagsList lacks name or value")
		}
		pairs = append(pairs, name.text+":"+value.text)
	}
	if joined := strings.Join(pairs, ";"); joined != tags.text {
		return fmt.Errorf("tags = %q, tagsList = %q", tags.text, joined)
	}
	return nil
})
