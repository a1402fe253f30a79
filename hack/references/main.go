// Command references fails on references that lead nowhere: to a missing page, or to a section, point or heading that the
// page lacks. It reads Go files, whose comments name pages as "imds-contract.md section 4" or "clients.md, points 13 to
// 18", and the links of Markdown pages.
//
//	go -C hack run ./references [ROOT]
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	root := ".."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	broken, err := check(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "references:", err)
		os.Exit(1)
	}
	for _, one := range broken {
		fmt.Fprintln(os.Stderr, one)
	}
	if len(broken) > 0 {
		os.Exit(1)
	}
}

// check returns the broken references below a folder, as "FILE:LINE: what is wrong".
func check(root string) ([]string, error) {
	library, err := open(root)
	if err != nil {
		return nil, err
	}
	var broken []string
	for _, path := range library.files {
		content, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return nil, fmt.Errorf("read what refers: %w", err)
		}
		find := citations
		if strings.HasSuffix(path, ".md") {
			find = links
		}
		references, err := find(string(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, found := range references {
			if complaint := library.complain(path, found); complaint != "" {
				broken = append(broken, fmt.Sprintf("%s:%d: %s", path, found.line, complaint))
			}
		}
	}
	return broken, nil
}
