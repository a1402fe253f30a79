package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// client is a program that uses an SDK.
type client struct {
	// name is that of its folder, and of its image.
	name string

	// dir is its folder.
	dir string

	specification specification
}

// specification is what image.json says.
type specification struct {
	// Base are the Debian packages of the image's base, beside the least that Debian is; null is an empty base.
	Base []string `json:"base"`

	Entrypoint []string          `json:"entrypoint"`
	Env        map[string]string `json:"env"`

	// Needs are programs without which this machine cannot build the client. It is passed over then.
	Needs []string `json:"needs"`
}

// findClients reads the clients that are named, all of them where none is.
func findClients(folder string, names []string) ([]client, error) {
	if len(names) == 0 {
		found, err := filepath.Glob(filepath.Join(folder, "*", "image.json"))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			names = append(names, filepath.Base(filepath.Dir(path)))
		}
	}
	var clients []client
	for _, name := range names {
		one, err := readClient(folder, name)
		if err != nil {
			return nil, err
		}
		clients = append(clients, one)
	}
	return clients, nil
}

func readClient(folder, name string) (client, error) {
	found := client{name: name, dir: filepath.Join(folder, name)}
	text, err := os.ReadFile(filepath.Join(found.dir, "image.json"))
	if err != nil {
		return client{}, fmt.Errorf("find the client %q: %w", name, err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&found.specification); err != nil {
		return client{}, fmt.Errorf("read image.json of the client %q: %w", name, err)
	}
	if len(found.specification.Entrypoint) == 0 {
		return client{}, fmt.Errorf("image.json of the client %q has no entrypoint", name)
	}
	return found, nil
}

// image is the name of the client's image.
func (c client) image() string { return "sdk-" + c.name }
