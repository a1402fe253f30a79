package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	admissionmetrics "sigs.k8s.io/controller-runtime/pkg/webhook/admission/metrics"
)

// The type of reviews that the webhook answers.
const (
	reviewVersion = "admission.k8s.io/v1"
	reviewKind    = "AdmissionReview"
)

// ServeHTTP answers a review. The handler of controller-runtime would read all of it four times.
func (m *mutator) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	defer recoverPanic(request.Context(), writer)
	if request.Header.Get("Content-Type") != "application/json" {
		http.Error(writer, "the review is not application/json", http.StatusUnsupportedMediaType)
		return
	}
	// The server has bounded the length.
	review := make([]byte, max(0, request.ContentLength))
	if _, err := io.ReadFull(request.Body, review); err != nil {
		http.Error(writer, "the review ends early", http.StatusBadRequest)
		return
	}
	response := m.answer(request.Context(), review)
	if response.UID == "" {
		http.Error(writer, response.Result.Message, int(response.Result.Code))
		return
	}
	answer, err := encode(response)
	if err != nil {
		m.log.Error(err, "an answer cannot be written")
		http.Error(writer, "the answer cannot be written", http.StatusInternalServerError)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	writer.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	// The API server has gone if this fails.
	_, _ = writer.Write(answer)
}

// answer answers a review. It has no UID if that cannot be read.
func (m *mutator) answer(ctx context.Context, review []byte) admission.Response {
	leave, err := m.room.enter(ctx, review)
	if err == nil {
		defer leave()
		var request podRequest
		if request, err = readReview(review); err == nil {
			return withUID(request.requestHead, m.admit(ctx, request.requestHead, request.Object.in(request.Namespace)))
		}
	}
	if !errors.Is(err, errTooLarge) {
		return admission.Errored(http.StatusBadRequest, err)
	}
	head, err := readHead(review)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	return withUID(head, m.denyUnread(head))
}

func withUID(request requestHead, response admission.Response) admission.Response {
	response.UID = request.UID
	return response
}

// encode returns the review with a response.
func encode(response admission.Response) ([]byte, error) {
	answer := response.AdmissionResponse
	if len(response.Patches) > 0 {
		content, err := patch(response.Patches).encode()
		if err != nil {
			return nil, err
		}
		answer.Patch, answer.PatchType = content, new(admissionv1.PatchTypeJSONPatch)
	}
	return json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: reviewVersion, Kind: reviewKind}, Response: &answer,
	})
}

// recoverPanic counts a panic like the handlers of controller-runtime, and answers for it.
func recoverPanic(ctx context.Context, writer http.ResponseWriter) {
	cause := recover()
	if cause == nil {
		return
	}
	admissionmetrics.WebhookPanics.WithLabelValues().Inc()
	for _, report := range utilruntime.PanicHandlers {
		report(ctx, cause)
	}
	http.Error(writer, "the webhook has failed", http.StatusInternalServerError)
}
