package main

import (
	"path/filepath"

	"github.com/kube-imds/kube-imds/hack/internal/recipe"
)

// findClients reads the recipes of the named clients, or of all. A client's image has the name of its folder.
func findClients(folder string, names []string) ([]recipe.Recipe, error) {
	if len(names) == 0 {
		found, err := filepath.Glob(filepath.Join(folder, "*", recipe.File))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			names = append(names, filepath.Base(filepath.Dir(path)))
		}
	}
	var clients []recipe.Recipe
	for _, name := range names {
		client, err := recipe.Read(filepath.Join(folder, name), "sdk-"+name)
		if err != nil {
			return nil, err
		}
		clients = append(clients, client)
	}
	return clients, nil
}
