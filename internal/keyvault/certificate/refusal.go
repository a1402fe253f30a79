package certificate

import (
	"fmt"
	"strings"
)

// Refusal is the error of a policy or a certificate that is not accepted. What it says is for the caller: it quotes nothing of what was
// imported, and of a policy no more than a word.
type Refusal struct {
	Reason  Reason
	Message string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

// Reason says why something is refused. All are bad parameters, but NoSuchIssuer.
type Reason string

// The reasons.
const (
	// BadPolicy is a property of a policy that is malformed, out of bounds, or not to be had here.
	BadPolicy Reason = "BadPolicy"

	// NoSuchIssuer is the issuer of a policy when it is neither Self nor Unknown: there are no other authorities here.
	NoSuchIssuer Reason = "NoSuchIssuer"

	TooLarge       Reason = "TooLarge"
	Malformed      Reason = "Malformed"
	WrongPassword  Reason = "WrongPassword"
	EncryptedKey   Reason = "EncryptedKey"
	UnsupportedKey Reason = "UnsupportedKey"
	NoKey          Reason = "NoKey"
	NoCertificate  Reason = "NoCertificate"

	// KeyMismatch is a chain without a certificate of the key.
	KeyMismatch Reason = "KeyMismatch"
)

func refuse(reason Reason, format string, values ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, values...)}
}

func badPolicy(format string, values ...any) *Refusal { return refuse(BadPolicy, format, values...) }

// maxCut bounds what a refusal repeats of a policy.
const maxCut = 64

func cut(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxCut)], "?") }
