package storagegate

import (
	"net/url"
	"slices"
	"strings"
)

// parameters are the query parameters that requests may have. They are written in one way only, and once, so that the backend cannot read
// another operation in them than the gate.
var parameters = []string{
	"comp", "restype", "timeout", "prefix", "delimiter", "marker", "maxresults", "include", "where",
	"snapshot", "prevsnapshot", "blockid", "blocklisttype", "copyid",
	"numofmessages", "visibilitytimeout", "messagettl", "popreceipt", "peekonly",
	"$filter", "$select", "$top", "$format", "NextTableName", "NextPartitionKey", "NextRowKey",
}

// signatureParameters are those of shared access signatures that are made with an account key.
var signatureParameters = []string{
	"sv", "ss", "srt", "sp", "st", "se", "sip", "spr", "sr", "si", "sig", "rscc", "rscd", "rsce", "rscl", "rsct",
	"tn", "spk", "srk", "epk", "erk",
}

// delegationParameters are those of signatures that a principal makes with a user delegation key. The backend makes such keys from what anybody
// knows, so they prove nothing.
var delegationParameters = []string{"skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid", "skdutid", "sduoid"}

// parseQuery reads a query.
func parseQuery(raw string) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("InvalidQueryParameterValue", "The query of the request is malformed.")
	}
	for name, all := range values {
		if !slices.Contains(parameters, name) && !slices.Contains(signatureParameters, name) && !slices.Contains(delegationParameters, name) {
			return nil, badRequest("UnsupportedQueryParameter", "One of the query parameters specified in the request URI is not supported: %s", cut(name))
		}
		if len(all) != 1 || strings.ContainsFunc(all[0], isControl) {
			return nil, badRequest("InvalidQueryParameterValue", "The value of the query parameter %s must be given once, without control characters.", name)
		}
	}
	return values, nil
}

// has reports whether a query has one of some parameters.
func has(query url.Values, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return query.Has(name) })
}
