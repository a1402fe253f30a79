package tokenendpoint

import (
	"net/http"
	"time"

	"github.com/google/uuid"
)

// The paths of the versions. Tenant is the name of the path's wildcard.
const (
	PathV1 = "/{" + tenant + "}/oauth2/token"
	PathV2 = "/{" + tenant + "}/oauth2/v2.0/token"

	tenant = "tenant"
)

// HandleOthers answers requests of other methods and paths beside the endpoints: clients expect JSON.
func HandleOthers(mux *http.ServeMux, now func() time.Time) {
	mux.HandleFunc(PathV1, wrongMethod(now))
	mux.HandleFunc(PathV2, wrongMethod(now))
	mux.HandleFunc("/{"+tenant+"}/oauth2/", func(writer http.ResponseWriter, request *http.Request) {
		newCall(request, now).fail(writer, malformed(), kind{badRequest.name, http.StatusNotFound})
	})
}

func wrongMethod(now func() time.Time) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		writer.Header().Set("Allow", http.MethodPost)
		newCall(request, now).fail(writer, refuse(codeMethod, "The endpoint only accepts POST requests."),
			kind{badRequest.name, http.StatusMethodNotAllowed})
	}
}

func newCall(request *http.Request, now func() time.Time) Call {
	return Call{Request: request, TraceID: uuid.NewString(), Now: now()}
}
