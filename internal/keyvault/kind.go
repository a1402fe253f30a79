package keyvault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// kind is a kind of objects. Its methods are what all kinds have in common.
type kind struct {
	*Server
	store *store.Store

	// plural is the kind in paths, and title is what messages call one object.
	plural, title string

	actions kindActions

	// behind is the kind of objects that have one of this kind behind them, or nil.
	behind *kind

	// own are the kind's own operations.
	own routes

	// render returns a version of an object in a form.
	render func(x *exchange, one found, as form) any
}

// form is how an answer has an object.
type form int

const (
	// whole is with all that there is; inList is without contents, inVersions also, but each version has an ID of its own.
	whole form = iota
	inList
	inVersions
)

// kindActions are the actions of what all kinds have in common.
type kindActions struct {
	read, remove, recoverDeleted, purge, backup, restore role.Action
}

func (s *Server) newKind(singular, title string, actions kindActions) *kind {
	return &kind{
		Server: s, plural: singular + "s", title: title, actions: actions,
		store: &store.Store{Records: s.Records, Kind: singular, Now: s.Now},
	}
}

// routes returns all operations of the kind.
func (k *kind) routes() routes {
	all := routes{
		"GET /" + k.plural:                             {k.actions.read, k.list},
		"GET /" + k.plural + "/{name}/versions":        {k.actions.read, k.listVersions},
		"DELETE /" + k.plural + "/{name}":              {k.actions.remove, k.remove},
		"GET /deleted" + k.plural:                      {k.actions.read, k.listDeleted},
		"GET /deleted" + k.plural + "/{name}":          {k.actions.read, k.getDeleted},
		"DELETE /deleted" + k.plural + "/{name}":       {k.actions.purge, k.purge},
		"POST /deleted" + k.plural + "/{name}/recover": {k.actions.recoverDeleted, k.recover},
		"POST /" + k.plural + "/{name}/backup":         {k.actions.backup, k.backup},
		"POST /" + k.plural + "/restore":               {k.actions.restore, k.restore},
	}
	for pattern, one := range k.own {
		all[pattern] = one
	}
	return all
}

// add adds a version with a value to the object of a path, which is made if there is none. prepare, if not nil, may refuse the object and
// change it.
func (k *kind) add(x *exchange, version store.Version, value []byte, prepare func(*store.Object) error) (*store.Object, error) {
	ctx := x.request.Context()
	if err := k.refuseManaged(x); err != nil {
		return nil, err
	}
	check := func(object *store.Object) error {
		if object.Deleted != nil {
			return k.isDeleted(x.name)
		}
		if prepare != nil {
			return prepare(object)
		}
		return nil
	}
	// It is looked at first, so that a refused request leaves no value behind.
	before, err := k.store.Get(ctx, x.vault.UID, x.name)
	if err != nil {
		return nil, err
	}
	if before != nil {
		if err := check(before); err != nil {
			return nil, err
		}
	}
	if err := k.store.PutValue(ctx, x.vault.UID, x.name, version.ID, value); err != nil {
		return nil, err
	}
	object, err := k.store.Change(ctx, x.vault.UID, x.name, func(object *store.Object) error {
		if err := check(object); err != nil {
			return err
		}
		object.Versions = append(object.Versions, version)
		return nil
	})
	if errors.Is(err, store.ErrTooManyVersions) {
		return nil, badParameter("%s", err)
	}
	return object, err
}

// found is an object and a version of it.
type found struct {
	object  *store.Object
	version *store.Version

	// keeper is the kind that keeps it: certificates keep the secrets and the keys behind them.
	keeper *kind
}

// value returns the value of the version.
func (f found) value(ctx context.Context, vault string) ([]byte, error) {
	return f.keeper.store.Value(ctx, vault, f.object.Name, f.version.ID)
}

// find returns the object and the version of a path, if they are there and not deleted.
func (k *kind) find(x *exchange) (found, error) {
	one, err := k.get(x, false)
	if err != nil {
		return found{}, err
	}
	if one.version = one.object.Version(x.version); one.version == nil {
		return found{}, k.notFound(x.name + "/" + cut(x.version))
	}
	return one, nil
}

// get returns the object of a path with its current version, if it is deleted or not, as asked.
func (k *kind) get(x *exchange, deleted bool) (found, error) {
	for _, keeper := range k.keepers() {
		object, err := keeper.store.Get(x.request.Context(), x.vault.UID, x.name)
		if err != nil {
			return found{}, err
		}
		if object != nil && (object.Deleted != nil) == deleted {
			return found{object, object.Current(), keeper}, nil
		}
	}
	return found{}, k.notFound(x.name)
}

// keepers returns what keeps objects of the kind.
func (k *kind) keepers() []*kind {
	if k.behind == nil {
		return []*kind{k}
	}
	return []*kind{k, k.behind}
}

// refuseManaged refuses to change what a certificate keeps.
func (k *kind) refuseManaged(x *exchange) error {
	if k.behind == nil {
		return nil
	}
	object, err := k.behind.store.Get(x.request.Context(), x.vault.UID, x.name)
	if err != nil || object == nil {
		return err
	}
	return forbidden(k.title+"ManagedByKeyVault", "The operation is not allowed as this object's lifetime is managed by Key Vault: it belongs to the certificate of its name.")
}

// change changes the object of a path, if it is deleted or not, as asked.
func (k *kind) change(x *exchange, deleted bool, edit func(*store.Object) error) (*store.Object, error) {
	if err := k.refuseManaged(x); err != nil {
		return nil, err
	}
	return k.store.Change(x.request.Context(), x.vault.UID, x.name, func(object *store.Object) error {
		if len(object.Versions) == 0 || (object.Deleted != nil) != deleted {
			return k.notFound(x.name)
		}
		return edit(object)
	})
}

// changeVersion changes the version of a path.
func (k *kind) changeVersion(x *exchange, edit func(*store.Version) error) (int, any, error) {
	var version *store.Version
	object, err := k.change(x, false, func(object *store.Object) error {
		if version = object.Version(x.version); version == nil {
			return k.notFound(x.name + "/" + cut(x.version))
		}
		version.Updated = k.Now().Unix()
		return edit(version)
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, k.render(x, found{object, version, k}, whole), nil
}

// current answers with the current version of an object, if there was no error.
func (k *kind) current(x *exchange, object *store.Object, err error) (int, any, error) {
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, k.render(x, found{object, object.Current(), k}, whole), nil
}

// remove deletes an object with all its versions. It can be recovered until its retention is over.
func (k *kind) remove(x *exchange) (int, any, error) {
	object, err := k.change(x, false, func(object *store.Object) error {
		now := k.Now()
		object.Deleted = &store.Deletion{Date: now.Unix(), Purge: now.Add(x.vault.retention()).Unix()}
		return nil
	})
	return k.current(x, object, err)
}

// getDeleted returns a deleted object.
func (k *kind) getDeleted(x *exchange) (int, any, error) {
	one, err := k.get(x, true)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, k.render(x, one, whole), nil
}

// recover makes a deleted object what it was.
func (k *kind) recover(x *exchange) (int, any, error) {
	object, err := k.change(x, true, func(object *store.Object) error {
		object.Deleted = nil
		return nil
	})
	return k.current(x, object, err)
}

// purge removes a deleted object for good.
func (k *kind) purge(x *exchange) (int, any, error) {
	// From here on it is gone, so that nobody recovers it while its values are removed.
	_, err := k.change(x, true, func(object *store.Object) error {
		if x.vault.Protected {
			return forbidden("ForbiddenByPolicy", "Operation \"purge\" is not allowed because purge protection is enabled for this vault.")
		}
		object.Deleted.Purge = k.Now().Unix()
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, k.store.Purge(x.request.Context(), x.vault.UID, x.name)
}

// newVersion returns a version that is about to be added. Its ID has 32 hexadecimal digits.
func (k *kind) newVersion() store.Version {
	var id [16]byte
	_, _ = rand.Read(id[:])
	now := k.Now().Unix()
	return store.Version{ID: hex.EncodeToString(id[:]), Created: now, Updated: now}
}
