package issuer

import (
	"net/http"

	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// protocol is how the clients of an endpoint prove which pod they are in, and how they are answered.
type protocol struct {
	authenticate func(*Server, *exchange) (workload.Workload, error)

	// respond writes an answer, or the failure if there is an error.
	respond func(*Server, http.ResponseWriter, *exchange, answer, error)
}

// sidecars is the protocol of package issuerapi.
var sidecars = protocol{(*Server).authenticateBearer, (*Server).respond}

// authenticateBearer verifies the bearer token of a request.
func (s *Server) authenticateBearer(x *exchange) (workload.Workload, error) {
	bearer := bearerOf(x.request)
	if bearer == "" {
		return workload.Workload{}, failure.Unauthorized("the request has no bearer token")
	}
	authenticated, err := s.Authenticator.Authenticate(bearer)
	if err != nil {
		return workload.Workload{}, failure.Unauthorized(err.Error())
	}
	return authenticated, nil
}

func (*Server) respond(writer http.ResponseWriter, x *exchange, response answer, _ error) {
	if x.failure != nil {
		_, code := reply.Status(x.failure)
		reply.Fail(writer, x.failure, issuerapi.Error{Code: code, Description: x.failure.Description})
		return
	}
	if response.etag != "" {
		writer.Header().Set("ETag", response.etag)
	}
	if response.unchanged {
		writer.WriteHeader(http.StatusNotModified)
		return
	}
	reply.JSON(writer, http.StatusOK, response.body)
}
