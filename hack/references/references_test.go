package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestBrokenReferencesAreFound(t *testing.T) {
	t.Parallel()
	const contract = "# The contract\n\n## 4 Tokens\nText, and **App Service** too.\n\n1. One.\n2. Two.\n"
	for name, test := range map[string]struct{ file, content, want string }{
		"section":                    {"a.go", "package a\n\n// It is as contract.md section 4 has it.\n", ""},
		"unknown section":            {"a.go", "package a\n\n// It is as contract.md section 5 has it.\n", "a.go:3: docs/reference/contract.md has no section 5"},
		"unknown section, next line": {"a.go", "package a\n\n// It is as contract.md\n// section 5 has it.\n", "a.go:3: docs/reference/contract.md has no section 5"},
		"points":                     {"a.go", "package a\n\nvar x = 1 // contract.md, points 1 and 2\n", ""},
		"unknown point in a range":   {"a.go", "package a\n\nvar x = 1 // contract.md, points 1 to 3\n", "a.go:3: docs/reference/contract.md has no point 3"},
		"title":                      {"a.go", `package a // contract.md, "App Service"` + "\n", ""},
		"unknown title":              {"a.go", `package a // contract.md, "Functions"` + "\n", `a.go:1: docs/reference/contract.md has no "Functions"`},
		"missing page":               {"a.go", "package a\n\n// See other.md.\n", "a.go:3: there is no other.md"},
		"outside a comment":          {"a.go", "package a\n\nvar page = \"other.md\"\n", ""},
		"link to a heading":          {"docs/a.md", "[it](reference/contract.md#4-tokens)\n", ""},
		"link to an unknown heading": {"docs/a.md", "\n[it](reference/contract.md#5-keys)\n", "docs/a.md:2: docs/reference/contract.md has no heading #5-keys"},
		"link within the page":       {"docs/a.md", "# Some `code`, here\n[it](#some-code-here)\n", ""},
		"link to a missing page":     {"docs/a.md", "[it](contract.md)\n", "docs/a.md:1: there is no contract.md"},
		"link to a folder":           {"docs/a.md", "[it](reference)\n", ""},
		"external link":              {"docs/a.md", "[it](https://example.com/x.md)\n", ""},
		"link in code":               {"docs/a.md", "```\n[it](contract.md)\n```\nand `[it](contract.md)`\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			write(t, root, "docs/reference/contract.md", contract)
			write(t, root, test.file, test.content)
			if output, err := exec.CommandContext(t.Context(), "git", "init", "-q", root).CombinedOutput(); err != nil {
				t.Fatal(err, string(output))
			}
			broken, err := check(root)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(broken, "\n"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func write(t *testing.T, root, path, content string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
