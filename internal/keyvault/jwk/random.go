package jwk

import (
	"crypto/rand"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// maxRandom is how many random bytes a request can have.
const maxRandom = 128

// Random returns random bytes.
func Random(count int) ([]byte, error) {
	if count < 1 || count > maxRandom {
		return nil, refusal.New("Invalid value of 'count': %d. It must be from 1 to %d.", count, maxRandom)
	}
	content := make([]byte, count)
	if _, err := rand.Read(content); err != nil {
		return nil, err
	}
	return content, nil
}
