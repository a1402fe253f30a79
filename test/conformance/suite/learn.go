package suite

import (
	"context"
	"fmt"
	"net/http"
)

// learn finds out how a target issues a token: without an identity, or for a given one. Cases about tokens then use that
// way.
func learn(ctx context.Context, w wire, target Target) (*knowledge, error) {
	known := &knowledge{placeholders: target.placeholders(), noToken: "no -resource is given"}
	if target.Resource == "" {
		return known, nil
	}
	ways := []string{""}
	if target.ClientID != "" {
		ways = append(ways, "&client_id="+target.ClientID)
	}
	var refusals string
	for _, way := range ways {
		known.identity = way
		question := known.fillRequest(get(aToken))
		answers, err := w.converse(ctx, question.conversation())
		if err != nil {
			return nil, err
		}
		if answers[0].status == http.StatusOK {
			known.noToken = ""
			return known, nil
		}
		refusals += fmt.Sprintf("; %s is answered with %s", question, answers[0])
	}
	known.noToken = "no token is given" + refusals
	return known, nil
}
