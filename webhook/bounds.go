package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/semaphore"
)

// The bounds of a pod. The API server has not validated it yet: a pod of a megabyte may be half a million containers, each
// of which takes a kilobyte to decode.
const (
	maxContainers = 250
	maxVolumes    = 1000

	// maxStructure bounds the braces, brackets, colons and commas. A pod with a thousand variables and its managed fields
	// has some 20,000. It also bounds all pods in progress together.
	maxStructure = 128 << 10
)

// errTooLarge is why a pod is not decoded.
var errTooLarge = errors.New("the pod is larger than any that can run: it may have at most " +
	fmt.Sprintf("%d containers, %d volumes and %d fields and items", maxContainers, maxVolumes, maxStructure/2))

// room bounds the pods in progress.
type room struct{ structure *semaphore.Weighted }

func newRoom() room { return room{semaphore.NewWeighted(maxStructure)} }

// enter waits until there is room for a pod in its review, and returns how to leave. It fails with errTooLarge for a pod that never
// has room, and when the context ends.
func (r room) enter(ctx context.Context, review []byte) (leave func(), err error) {
	size := int64(structure(review))
	if size > maxStructure {
		return nil, errTooLarge
	}
	if err := r.structure.Acquire(ctx, size); err != nil {
		return nil, fmt.Errorf("wait until other pods are admitted: %w", err)
	}
	return func() { r.structure.Release(size) }, nil
}

// structure counts the structural characters of a JSON text without decoding it.
func structure(text []byte) int {
	count := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[', ':', ',':
			count++
		case '"':
			i += stringLength(text[i+1:])
		}
	}
	return count
}

// stringLength returns the length of a string whose content starts a text, with the quotation mark that ends it.
func stringLength(text []byte) int {
	for end := 0; ; end++ {
		next := bytes.IndexByte(text[end:], '"')
		if next < 0 {
			return len(text)
		}
		end += next
		if content := text[:end]; (len(content)-len(bytes.TrimRight(content, `\`)))%2 == 0 {
			return end + 1
		}
	}
}
