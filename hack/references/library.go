package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// shelves are the folders of pages that comments name without a path.
var shelves = []string{"docs/reference", "docs/design", "docs"}

// library is everything that can be referred to.
type library struct {
	root string

	// files are the Go files and pages, relative to the root.
	files []string
}

// open lists tracked and new files, without ignored ones.
func open(root string) (*library, error) {
	list := exec.Command("git", "ls-files", "-co", "--exclude-standard", "*.go", "*.md")
	list.Dir = root
	output, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list the files: %w", err)
	}
	files := strings.Fields(string(output))
	files = slices.DeleteFunc(files, func(path string) bool {
		_, err := os.Stat(filepath.Join(root, path))
		return err != nil
	})
	return &library{root, files}, nil
}

// complain returns what is wrong with a reference in a file, or "".
func (l *library) complain(from string, found reference) string {
	path, complaint := l.resolve(from, found.page)
	if complaint != "" || path == "" {
		return complaint
	}
	if filepath.Ext(path) != ".md" {
		return ""
	}
	content, err := os.ReadFile(filepath.Join(l.root, path))
	if err != nil {
		return err.Error()
	}
	return page(content).complain(path, found)
}

// resolve returns the file that a reference names. A link to a folder has none.
func (l *library) resolve(from, name string) (path, complaint string) {
	if name == "" {
		return from, ""
	}
	candidates := []string{filepath.Join(filepath.Dir(from), name)}
	if strings.HasSuffix(from, ".go") {
		candidates = append(candidates, name)
		for _, shelf := range shelves {
			candidates = append(candidates, filepath.Join(shelf, name))
		}
	}
	for _, candidate := range candidates {
		if info, err := os.Stat(filepath.Join(l.root, candidate)); err == nil {
			if info.IsDir() {
				return "", ""
			}
			return candidate, ""
		}
	}
	return "", "there is no " + name
}

// page is the text of a Markdown page.
type page string

func (p page) complain(path string, found reference) string {
	switch {
	case found.fragment != "" && !slices.Contains(p.anchors(), found.fragment):
		return fmt.Sprintf("%s has no heading #%s", path, found.fragment)
	case found.section != "" && !p.has(`^#+ %s\b`, found.section):
		return fmt.Sprintf("%s has no section %s", path, found.section)
	case found.title != "" && !p.has(`^(#+ |\*\*|.*\*\*)%s`, found.title):
		return fmt.Sprintf("%s has no %q", path, found.title)
	}
	for _, point := range found.points {
		if !p.has(`^%s\. `, point) {
			return fmt.Sprintf("%s has no point %s", path, point)
		}
	}
	return ""
}

func (p page) has(pattern, text string) bool {
	return regexp.MustCompile("(?m)" + fmt.Sprintf(pattern, regexp.QuoteMeta(text))).MatchString(string(p))
}

var (
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns the names of headings in links, as GitHub derives them.
func (p page) anchors() []string {
	var names []string
	for _, match := range heading.FindAllStringSubmatch(string(p), -1) {
		name := dropped.ReplaceAllString(strings.ToLower(match[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}
