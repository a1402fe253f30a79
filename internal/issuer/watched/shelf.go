package watched

import (
	"fmt"
	"sync"

	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// shelf holds the objects of one watch by name, slimmed. It knows nothing until the first list is complete. From then on an
// object that is not on it does not exist, however long the API server is away.
type shelf struct {
	transform cache.TransformFunc

	// changed is called after each change.
	changed func()

	mu sync.RWMutex

	// objects is nil until the first list is complete.
	objects map[string]client.Object
}

var _ cache.TransformingStore = (*shelf)(nil)

func newShelf(transform cache.TransformFunc, changed func()) *shelf {
	return &shelf{transform: transform, changed: changed}
}

// get returns the object with a name, or nil if it does not exist.
func (s *shelf) get(name string) (object client.Object, known bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects[name], s.objects != nil
}

// all returns all objects in no particular order.
func (s *shelf) all() (objects []client.Object, known bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, object := range s.objects {
		objects = append(objects, object)
	}
	return objects, s.objects != nil
}

// Add stores an object.
func (s *shelf) Add(object any) error {
	kept, err := s.slim(object)
	if err != nil {
		return err
	}
	defer s.changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects == nil {
		return fmt.Errorf("keep %T: the watch has not listed yet", object)
	}
	s.objects[kept.GetName()] = kept
	return nil
}

// Update replaces an object.
func (s *shelf) Update(object any) error { return s.Add(object) }

// Delete removes an object.
func (s *shelf) Delete(object any) error {
	gone, ok := object.(client.Object)
	if !ok {
		return fmt.Errorf("forget %T: it is not an object", object)
	}
	defer s.changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, gone.GetName())
	return nil
}

// Replace replaces all objects.
func (s *shelf) Replace(list []any, _ string) error {
	objects := make(map[string]client.Object, len(list))
	for _, one := range list {
		kept, err := s.slim(one)
		if err != nil {
			return err
		}
		objects[kept.GetName()] = kept
	}
	defer s.changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects = objects
	return nil
}

// Resync does nothing: a change makes its readers look at the shelf.
func (s *shelf) Resync() error { return nil }

// Transformer slims a long list while it arrives.
func (s *shelf) Transformer() cache.TransformFunc { return s.transform }

func (s *shelf) slim(object any) (client.Object, error) {
	slimmed, err := s.transform(object)
	if err != nil {
		return nil, fmt.Errorf("slim %T: %w", object, err)
	}
	kept, ok := slimmed.(client.Object)
	if !ok {
		return nil, fmt.Errorf("keep %T: it is not an object", object)
	}
	return kept, nil
}
