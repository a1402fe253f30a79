package view

import (
	"encoding/json"
	"fmt"
	"hash/maphash"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// Writer takes the lines of a view. Flush sends them.
type Writer interface {
	Write(line []byte) error
	Flush() error
}

// stateWriter writes what has changed since it was last written.
type stateWriter struct {
	to  Writer
	log logr.Logger

	// shown has a hash of the last line of each key.
	shown map[signerapi.ViewKey]uint64
	seed  maphash.Seed
}

func newStateWriter(to Writer, log logr.Logger) *stateWriter {
	return &stateWriter{to: to, log: log, shown: map[signerapi.ViewKey]uint64{}, seed: maphash.MakeSeed()}
}

// show writes the objects of a key, unless they are what was written last.
func (w *stateWriter) show(key signerapi.ViewKey, objects []any, pods []string) error {
	change := signerapi.ViewChange{ViewKey: key, Pods: pods}
	hash := maphash.Hash{}
	hash.SetSeed(w.seed)
	for _, object := range objects {
		rendered, err := json.Marshal(object)
		if err != nil {
			return fmt.Errorf("render %s %s/%s: %w", key.Kind, key.Namespace, key.Name, err)
		}
		_, _ = hash.Write(rendered)
		change.Objects = append(change.Objects, rendered)
	}
	if last, found := w.shown[key]; found && last == hash.Sum64() {
		return nil
	}
	w.shown[key] = hash.Sum64()
	return w.write(change)
}

// forget writes that a key is not part of the view any more, if it was.
func (w *stateWriter) forget(key signerapi.ViewKey) error {
	if _, found := w.shown[key]; !found {
		return nil
	}
	delete(w.shown, key)
	change := signerapi.ViewChange{ViewKey: key, Forgotten: true}
	if key.Kind == signerapi.ViewPod {
		change.Pods = []string{key.Name}
	}
	return w.write(change)
}

// write writes a line. A key that is too large for one is unknown to the issuer, whose other pods do not suffer from it.
func (w *stateWriter) write(change signerapi.ViewChange) error {
	line, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("render a change of %s: %w", change.Kind, err)
	}
	if len(line) >= signerapi.MaxChangeBytes {
		w.log.Info("what pods of a node depend on is too large: they get no tokens", "kind", change.Kind, "namespace", change.Namespace,
			"name", change.Name, "bytes", len(line))
		return w.write(signerapi.ViewChange{ViewKey: change.ViewKey, Forgotten: true, Pods: change.Pods})
	}
	return w.to.Write(append(line, '\n'))
}

func (w *stateWriter) flush() error { return w.to.Flush() }
