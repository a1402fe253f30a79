package imds

// selectorNames are the parameters by which requests name an identity, and the ID that each stands for. IMDS's own
// are client_id, object_id and msi_res_id; the others are sent by clients all the same, and what is not understood
// must not be answered with the default identity's token (clients.md, points 6 to 9).
var selectorNames = []struct {
	name string
	id   func(*Selector) *string
}{
	{"client_id", func(s *Selector) *string { return &s.ClientID }},
	{"object_id", func(s *Selector) *string { return &s.ObjectID }},
	{"principal_id", func(s *Selector) *string { return &s.ObjectID }},
	{"msi_res_id", func(s *Selector) *string { return &s.ResourceID }},
	{"mi_res_id", func(s *Selector) *string { return &s.ResourceID }},
	{"msi-res-id", func(s *Selector) *string { return &s.ResourceID }},
	{"resource_id", func(s *Selector) *string { return &s.ResourceID }},
}

// parseTokenRequest reads the query of a token request (imds-contract.md section 4).
func parseTokenRequest(raw string) (TokenRequest, *Error) {
	q, err := parseQuery(raw)
	if err != nil {
		return TokenRequest{}, err
	}
	if _, err := q.version(identitySince); err != nil {
		return TokenRequest{}, err
	}
	selector, err := parseSelector(q)
	if err != nil {
		return TokenRequest{}, err
	}
	bypassCache, err := q.flag("bypass_cache")
	if err != nil {
		return TokenRequest{}, err
	}
	resource := q["resource"]
	if resource == "" {
		return TokenRequest{}, invalid("Required audience parameter not specified")
	}
	return TokenRequest{resource, selector, bypassCache}, nil
}

// parseSelector reads which identity is meant. Several parameters exclude each other, even if they agree.
func parseSelector(q query) (Selector, *Error) {
	var selector Selector
	for _, parameter := range selectorNames {
		value, given := q[parameter.name]
		if !given {
			continue
		}
		if selector != (Selector{}) {
			return Selector{}, invalid("Only one of client_id, object_id and msi_res_id can be specified")
		}
		if value == "" {
			return Selector{}, invalid("The parameter " + parameter.name + " has no value")
		}
		*parameter.id(&selector) = value
	}
	return selector, nil
}
