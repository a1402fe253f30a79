// Command vault-transit is the transit engine of HashiCorp Vault behind as much of Vault's API as reaches it, for tests. The engine is the
// real one; the server around it is not, for the whole of Vault takes several times as long to build as everything else that a test needs.
// It keeps all in a folder, so that it can be stopped and started again.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
)

func main() {
	folder := flag.String("data", "", "the `folder` to keep all in; its files root-token and signer-token have the tokens")
	listen := flag.String("listen", "", "the `address` of the API, by plain HTTP")
	flag.Parse()
	if err := run(*folder, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "vault-transit:", err)
		os.Exit(1)
	}
}

func run(folder, listen string) error {
	log := hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Warn})
	kept, err := file.NewFileBackend(map[string]string{"path": filepath.Join(folder, "storage")}, log)
	if err != nil {
		return fmt.Errorf("open the storage: %w", err)
	}
	storage := logical.NewLogicalStorage(kept)
	ctx := context.Background()
	config := &logical.BackendConfig{
		StorageView: storage, Logger: log, System: &logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: time.Hour},
	}
	engine, err := transit.Backend(ctx, config)
	if err != nil {
		return fmt.Errorf("make the engine: %w", err)
	}
	// The framework, a separate module, needs a setting that this version of the engine does not pass to it.
	for _, path := range engine.Paths {
		if path.ExistenceCheck == nil {
			path.ExistenceCheck = exists
		}
	}
	if err := engine.Setup(ctx, config); err != nil {
		return fmt.Errorf("set the engine up: %w", err)
	}
	if err := engine.Initialize(ctx, &logical.InitializationRequest{Storage: storage}); err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	api := &api{engine: engine, storage: storage}
	for name, token := range map[string]*string{"root-token": &api.root, "signer-token": &api.signer} {
		if *token, err = tokenOf(filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	server := &http.Server{Addr: listen, Handler: api, ReadHeaderTimeout: time.Minute}
	return server.ListenAndServe()
}

// exists has every write be an update.
func exists(context.Context, *logical.Request, *framework.FieldData) (bool, error) { return true, nil }

// tokenOf is the token in a file, which is made at the first start.
func tokenOf(path string) (string, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		content = []byte("hvs." + rand.Text())
		err = os.WriteFile(path, content, 0o600)
	}
	return string(content), err
}

// api is Vault's API of an engine that is mounted at transit.
type api struct {
	engine       logical.Backend
	storage      logical.Storage
	root, signer string
}

var operations = map[string]logical.Operation{
	http.MethodGet: logical.ReadOperation, http.MethodPost: logical.UpdateOperation,
	http.MethodPut: logical.UpdateOperation, http.MethodDelete: logical.DeleteOperation,
}

func (a *api) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	if request.URL.Path == "/v1/sys/health" {
		answer(writer, http.StatusOK, map[string]bool{"initialized": true})
		return
	}
	path, found := strings.CutPrefix(request.URL.Path, "/v1/transit/")
	if !found || !a.allows(request.Header.Get("X-Vault-Token"), request.Method, path) {
		answer(writer, http.StatusForbidden, map[string][]string{"errors": {"permission denied"}})
		return
	}
	asked := &logical.Request{Operation: operations[request.Method], Path: path, Storage: a.storage, Data: map[string]any{}}
	if request.ContentLength != 0 {
		if err := json.NewDecoder(request.Body).Decode(&asked.Data); err != nil {
			answer(writer, http.StatusBadRequest, map[string][]string{"errors": {err.Error()}})
			return
		}
	}
	response, err := a.engine.HandleRequest(request.Context(), asked)
	if status, err := logical.RespondErrorCommon(asked, response, err); err != nil {
		answer(writer, status, map[string][]string{"errors": {err.Error()}})
		return
	}
	if response == nil {
		writer.WriteHeader(http.StatusNoContent)
		return
	}
	answer(writer, http.StatusOK, logical.LogicalResponseToHTTPResponse(response))
}

// allows reports whether a token may do something: the signer's what docs/kms.md says that it needs.
func (a *api) allows(token, method, path string) bool {
	if token == a.root {
		return true
	}
	return token == a.signer && (method == http.MethodGet && strings.HasPrefix(path, "keys/") ||
		(method == http.MethodPut || method == http.MethodPost) && strings.HasPrefix(path, "sign/"))
}

func answer(writer http.ResponseWriter, status int, body any) {
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(status)
	_ = json.NewEncoder(writer).Encode(body)
}
