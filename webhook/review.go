package webhook

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apimachinery/pkg/types"
)

// podReview is what is read of an AdmissionReview of a pod.
type podReview[R any] struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Request    R      `json:"request"`
}

// podRequest asks to admit a pod.
type podRequest struct {
	requestHead
	Object *sentPod `json:"object"`
}

// requestHead is what a request says about itself.
type requestHead struct {
	UID       types.UID `json:"uid"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	DryRun    bool      `json:"dryRun"`
	UserInfo  struct {
		Username string `json:"username"`
	} `json:"userInfo"`
}

// readReview reads a review, once.
func readReview(review []byte) (podRequest, error) {
	request, err := decode[podRequest](review)
	if err != nil {
		return podRequest{}, fmt.Errorf("read the pod: %w", err)
	}
	if request.Object == nil {
		return podRequest{}, errors.New("the review has no pod")
	}
	return request, request.Object.check()
}

// readHead reads what is left of a review without its pod.
func readHead(review []byte) (requestHead, error) {
	head, err := decode[requestHead](review)
	if err != nil {
		return requestHead{}, fmt.Errorf("read the review: %w", err)
	}
	return head, nil
}

func decode[R any](text []byte) (R, error) {
	var review podReview[R]
	// The API server repeats no name. Looking for repeated ones would take as long as all the rest. Of those, the last counts.
	if err := json.Unmarshal(text, &review, jsontext.AllowDuplicateNames(true)); err != nil {
		return review.Request, err
	}
	if review.APIVersion != reviewVersion || review.Kind != reviewKind {
		return review.Request, fmt.Errorf("it is not a %s of %s", reviewKind, reviewVersion)
	}
	return review.Request, nil
}
