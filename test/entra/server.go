package entra

import (
	"cmp"
	"crypto/rsa"
	"net/http"
	"time"
)

// Server is the stand-in, an http.Handler. Its fields are set before it serves.
type Server struct {
	// Reader reads the public files of issuers.
	Reader *http.Client

	// Resources are the resources of every tenant. A trailing slash makes no difference.
	Resources []string

	// VersionTwo has the application IDs of resources that want tokens of version 2, with the application ID as audience.
	VersionTwo map[string]string

	// Hosts are the stand-in's own hosts, with ports, beside the one that a request is sent to. SDKs ask login.microsoftonline.com
	// whether another authority is one, and where a test makes that name the stand-in's too, it must know its other names.
	Hosts []string

	// RefreshIn is the refresh_in of tokens in seconds, if not 0, and ExpiresIn their expires_in.
	RefreshIn, ExpiresIn int

	// Propagation is how long a federated credential that names no time needs to take effect.
	Propagation time.Duration

	// KeysAge is how long the public files of an issuer are cached; 0 means not at all. KeysPause is how long they are not
	// read again although an assertion names an unknown key.
	KeysAge, KeysPause time.Duration

	Now func() time.Time

	routes  *http.ServeMux
	key     *signingKey
	issuers issuers
	table   table
	faults  faults
	log     log
}

// New returns a stand-in without identities.
func New(reader *http.Client, resources ...string) (*Server, error) {
	key, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	return newServer(key, reader, resources), nil
}

func newServer(key *signingKey, reader *http.Client, resources []string) *Server {
	s := &Server{
		Reader: reader, Resources: resources, ExpiresIn: 86399, Now: time.Now,
		routes: http.NewServeMux(), key: key,
		issuers: issuers{known: map[string]*issuer{}}, table: newTable(), faults: newFaults(), log: newLog(),
	}
	s.routes.HandleFunc("POST /{tenant}/oauth2/v2.0/token", s.token(2))
	s.routes.HandleFunc("POST /{tenant}/oauth2/token", s.token(1))
	s.routes.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", s.discovery(2))
	s.routes.HandleFunc("GET /{tenant}/.well-known/openid-configuration", s.discovery(1))
	s.routes.HandleFunc("GET /{tenant}/discovery/v2.0/keys", s.keys(2))
	s.routes.HandleFunc("GET /{tenant}/discovery/keys", s.keys(1))
	s.routes.HandleFunc("GET /common/discovery/instance", s.instance)
	return s
}

// ServeHTTP answers.
func (s *Server) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	s.routes.ServeHTTP(writer, request)
}

// Public returns the key that verifies the stand-in's tokens.
func (s *Server) Public() *rsa.PublicKey { return &s.key.private.PublicKey }

// token serves the token endpoint of a version.
func (s *Server) token(version int) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		asked, malformed := readAsk(writer, request, version)
		s.log.enter(asked)
		fault := s.faults.take(asked.Exchange)
		if hangUp := s.faults.wait(request.Context(), fault); hangUp {
			s.log.leave(asked, s.Now(), 0, 0)
			panic(http.ErrAbortHandler)
		}
		asked.now, asked.expiresIn = s.Now().Add(fault.ClockOffset), cmp.Or(fault.ExpiresIn, s.ExpiresIn)
		given := s.decide(request, asked, malformed, fault)
		// Who has the answer sees it counted.
		s.log.leave(asked, asked.now, given.status, given.code)
		given.write(writer, asked)
	}
}

// decide returns the answer to a request.
func (s *Server) decide(request *http.Request, asked *ask, malformed *refusal, fault Fault) answer {
	if fault.Code != 0 || fault.Status != 0 {
		return fault.answer(asked)
	}
	if malformed != nil && s.table.hasTenant(asked.tenant) {
		return malformed.answer(asked)
	}
	identity, refused := s.verify(request.Context(), asked)
	if refused != nil {
		return refused.answer(asked)
	}
	return s.issue(identity, asked)
}
