package entra

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Exchange is what tokens are counted by.
type Exchange struct{ ClientID, Resource string }

// Stats are counts since the stand-in was made.
type Stats struct {
	// Exchanges is sorted by client ID and resource.
	Exchanges []Count

	// InFlight is how many requests for tokens are being answered, and MaxInFlight the most at a time. Held is how many of
	// them a fault holds.
	InFlight, MaxInFlight, Held int

	// Reads is how often the public files of issuers were read, and ReadError why that failed last.
	Reads     int
	ReadError string
}

// Count is what was asked for, and what came of it.
type Count struct {
	Exchange
	Asked, Issued int

	// Refused is by AADSTS code; 0 is an answer without one, or none.
	Refused map[int]int
}

// Request is an answered request for a token. It has no assertion, and nothing in it is verified.
type Request struct {
	Exchange
	Time              time.Time
	TenantID          string
	Version           int
	Claims            string
	Issuer, Subject   string
	Audience          []string
	KeyID, ID         string
	CorrelationID     string
	Status, ErrorCode int
}

const (
	// maxAssertions bounds the assertions that are kept, maxRequests the requests, and maxCounts what is counted apart.
	maxAssertions = 100
	maxRequests   = 1000
	maxCounts     = 10_000
)

// Stats returns the counts.
func (s *Server) Stats() Stats {
	stats := s.log.stats()
	stats.Held, _ = s.faults.heldNow()
	s.issuers.mu.Lock()
	defer s.issuers.mu.Unlock()
	stats.Reads, stats.ReadError = s.issuers.reads, s.issuers.lastError
	return stats
}

// Asked returns how often a token of a client ID was asked for, successfully or not.
func (s *Server) Asked(exchange Exchange) int {
	for _, one := range s.Stats().Exchanges {
		if one.Exchange == exchange {
			return one.Asked
		}
	}
	return 0
}

// Requests returns the last requests, the oldest first.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.requests)
}

// Assertions returns the assertions of the first requests.
func (s *Server) Assertions() []string {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.assertions)
}

// log has what was asked and answered.
type log struct {
	mu         sync.Mutex
	counts     map[Exchange]*Count
	inFlight   int
	most       int
	requests   []Request
	assertions []string
}

func newLog() log { return log{counts: map[Exchange]*Count{}} }

// enter counts a request when it has come.
func (l *log) enter(asked *ask) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight++
	l.most = max(l.most, l.inFlight)
	l.count(asked.Exchange).Asked++
	if raw := asked.assertion.raw; raw != "" && len(l.assertions) < maxAssertions {
		l.assertions = append(l.assertions, raw)
	}
}

// leave counts a request when it is about to be answered.
func (l *log) leave(asked *ask, now time.Time, status, code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	if status == http.StatusOK {
		l.count(asked.Exchange).Issued++
	} else {
		l.count(asked.Exchange).Refused[code]++
	}
	if len(l.requests) == maxRequests {
		l.requests = slices.Delete(l.requests, 0, 1)
	}
	read := asked.assertion
	l.requests = append(l.requests, Request{
		Exchange: asked.Exchange, Time: now, TenantID: asked.tenant, Version: asked.version, Claims: asked.form.Get("claims"),
		Issuer: read.claims.Issuer, Subject: read.claims.Subject, Audience: read.claims.Audience, KeyID: read.keyID, ID: read.claims.ID,
		CorrelationID: asked.correlation, Status: status, ErrorCode: code,
	})
}

// count returns the count of an exchange. What is too much to count apart is counted together, without a name.
func (l *log) count(exchange Exchange) *Count {
	if l.counts[exchange] == nil {
		if len(l.counts) >= maxCounts {
			exchange = Exchange{}
		}
		if l.counts[exchange] == nil {
			l.counts[exchange] = &Count{Exchange: exchange, Refused: map[int]int{}}
		}
	}
	return l.counts[exchange]
}

func (l *log) stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	stats := Stats{Exchanges: []Count{}, InFlight: l.inFlight, MaxInFlight: l.most}
	for _, one := range l.counts {
		counted := *one
		counted.Refused = maps.Clone(one.Refused)
		stats.Exchanges = append(stats.Exchanges, counted)
	}
	slices.SortFunc(stats.Exchanges, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.ClientID, b.ClientID), cmp.Compare(a.Resource, b.Resource))
	})
	return stats
}
