package keyvault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// maxBackup bounds a backup, in bytes before it is encoded, as what restores it must be bounded.
const maxBackup = 8 << 20

// backupBody is the body of an answer with a backup, and of a request that restores one.
type backupBody struct {
	Value string `json:"value"`
}

// backup returns an object with all its versions and values, sealed: nobody but this installation can read it.
func (k *kind) backup(x *exchange) (int, any, error) {
	if err := k.refuseManaged(x); err != nil {
		return 0, nil, err
	}
	if _, err := k.get(x, false); err != nil {
		return 0, nil, err
	}
	content, err := k.store.Export(x.request.Context(), x.vault.UID, x.name, maxBackup)
	if errors.Is(err, store.ErrTooLarge) {
		return 0, nil, badParameter("The %s is too large for a backup: it has more than %d bytes in all its versions.", k.title, maxBackup)
	}
	if err != nil {
		return 0, nil, err
	}
	sealer, err := k.sealer(x.request.Context())
	if err != nil {
		return 0, nil, err
	}
	nonce := make([]byte, sealer.NonceSize())
	_, _ = rand.Read(nonce)
	sealed := sealer.Seal(nonce, nonce, content, k.boundTo(x))
	return http.StatusOK, backupBody{base64.RawURLEncoding.EncodeToString(sealed)}, nil
}

// restore makes an object of a backup, if no object has its name.
func (k *kind) restore(x *exchange) (int, any, error) {
	var asked backupBody
	if err := readBody(x.request, int64(base64.RawURLEncoding.EncodedLen(maxBackup+1<<10)), &asked); err != nil {
		return 0, nil, err
	}
	sealed, err := base64.RawURLEncoding.DecodeString(asked.Value)
	if err != nil {
		return 0, nil, k.badBackup()
	}
	sealer, err := k.sealer(x.request.Context())
	if err != nil {
		return 0, nil, err
	}
	if len(sealed) < sealer.NonceSize() {
		return 0, nil, k.badBackup()
	}
	content, err := sealer.Open(nil, sealed[:sealer.NonceSize()], sealed[sealer.NonceSize():], k.boundTo(x))
	if err != nil {
		return 0, nil, k.badBackup()
	}
	object, err := k.store.Import(x.request.Context(), x.vault.UID, content)
	if errors.Is(err, store.ErrExists) {
		return 0, nil, conflict("", fmt.Sprintf("There was a conflict restoring the %s: its name is already in use, or it is deleted but recoverable.", k.title))
	}
	return k.current(x, object, err)
}

// boundTo is what a backup is bound to: the kind and the tenant. As in Azure it can be restored in another vault.
func (k *kind) boundTo(x *exchange) []byte { return []byte(k.plural + "/" + x.vault.TenantID) }

func (k *kind) badBackup() *Failure {
	return badParameter("The backup cannot be restored: it is not whole, not of a %s, or of another tenant or installation.", k.title)
}

// sealerName names the record with the key of the backups.
const sealerName = "backup-key"

// sealer returns the cipher of the installation's backups. The first backup makes its key.
func (s *Server) sealer(ctx context.Context) (cipher.AEAD, error) {
	record, err := s.Records.Get(ctx, sealerName)
	if err != nil {
		return nil, fmt.Errorf("read the key of the backups: %w", err)
	}
	if record == nil {
		record = &store.Record{Name: sealerName, Labels: store.Labels(), Content: make([]byte, 32), Final: true}
		_, _ = rand.Read(record.Content)
		if err := s.Records.Create(ctx, record); errors.Is(err, store.ErrConflict) {
			return s.sealer(ctx)
		} else if err != nil {
			return nil, fmt.Errorf("keep the key of the backups: %w", err)
		}
	}
	block, err := aes.NewCipher(record.Content)
	if err != nil {
		return nil, fmt.Errorf("use the key of the backups: %w", err)
	}
	return cipher.NewGCM(block)
}
