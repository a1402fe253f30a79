package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	admissionmetrics "sigs.k8s.io/controller-runtime/pkg/webhook/admission/metrics"
)

// post sends a review to the mutator's handler.
func post(t *testing.T, m *mutator, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/pods", strings.NewReader(body))
	request.Header.Set("Content-Type", contentType)
	recorder := httptest.NewRecorder()
	m.ServeHTTP(recorder, request)
	return recorder
}

func TestAnswersAreReviews(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	for name, test := range map[string]struct {
		pod     *corev1.Pod
		allowed bool
		code    int32
	}{
		"injected": {newPod("orders", withVariables("HTTP_PROXY", "http://a&b")), true, 200},
		"denied":   {newPod("closed"), false, 403},
		"declines": {newPod("orders", annotated("kube-imds.io/inject", "false")), true, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := json.Marshal(test.pod)
			if err != nil {
				t.Fatal(err)
			}
			recorder := post(t, m, "application/json", string(review(raw)))
			var answer admissionv1.AdmissionReview
			if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
				t.Fatal(err, recorder.Body)
			}
			if answer.Kind != "AdmissionReview" || answer.APIVersion != "admission.k8s.io/v1" || recorder.Header().Get("Content-Type") != "application/json" {
				t.Errorf("answer = %+v, %v", answer.TypeMeta, recorder.Header())
			}
			got := answer.Response
			if got.UID != "0df28fbd" || got.Allowed != test.allowed || got.Result.Code != test.code {
				t.Errorf("response = %+v", got)
			}
			want := m.answer(t.Context(), review(raw))
			if len(want.Patches) == 0 {
				if got.Patch != nil || got.PatchType != nil {
					t.Errorf("patch = %s", got.Patch)
				}
				return
			}
			patch, err := jsonpatch.DecodePatch(got.Patch)
			if err != nil || got.PatchType == nil || *got.PatchType != admissionv1.PatchTypeJSONPatch {
				t.Fatal(err, got.PatchType)
			}
			result, err := patch.Apply(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(patched(t, raw, want)), string(result)); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
		})
	}
}

// Whoever knows the path may send anything.
func TestMalformedReviews(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	good := string(review([]byte(`{"metadata":{},"spec":{}}`)))
	for name, test := range map[string]struct {
		contentType, body string
		want              int
	}{
		"none":                 {"application/json", "", http.StatusBadRequest},
		"no JSON":              {"application/json", "pods", http.StatusBadRequest},
		"cut off":              {"application/json", good[:len(good)-1], http.StatusBadRequest},
		"more after it":        {"application/json", good + "{}", http.StatusBadRequest},
		"another content type": {"application/yaml", good, http.StatusUnsupportedMediaType},
		"another version":      {"application/json", strings.Replace(good, "/v1", "/v1beta1", 1), http.StatusBadRequest},
		"another kind":         {"application/json", strings.Replace(good, "AdmissionReview", "Pod", 1), http.StatusBadRequest},
		"no pod":               {"application/json", strings.Replace(good, `"object"`, `"oldObject"`, 1), http.StatusBadRequest},
		"null instead of it":   {"application/json", string(review([]byte("null"))), http.StatusBadRequest},
		"a list instead of it": {"application/json", string(review([]byte("[]"))), http.StatusBadRequest},
		"no list":              {"application/json", string(review([]byte(`{"spec":{"containers":{}}}`))), http.StatusBadRequest},
		"invalid UTF-8":        {"application/json", string(review([]byte("{\"metadata\":{\"name\":\"\xff\"}}"))), http.StatusBadRequest},
		"deeply nested":        {"application/json", string(review([]byte(strings.Repeat("[", 100_000)))), http.StatusBadRequest},
		"deeper than is read":  {"application/json", strings.Repeat("[", maxStructure+1), http.StatusBadRequest},
		"no number":            {"application/json", string(review([]byte(`{"spec":{"containers":[{"ports":[{"containerPort":"http"}]}]}}`))), http.StatusBadRequest},
		"huge number":          {"application/json", string(review([]byte(`{"spec":{"containers":[{"ports":[{"containerPort":4294967376}]}]}}`))), http.StatusBadRequest},
		"no amount": {"application/json", string(review([]byte(`{"spec":{"initContainers":[{"name":"kube-imds","resources":{"limits":{"cpu":"much"}}}]}}`))),
			http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := post(t, m, test.contentType, test.body); got.Code != test.want {
				t.Errorf("got %d %s", got.Code, got.Body)
			}
			if !m.room.structure.TryAcquire(1) {
				t.Error("there is no room")
			}
		})
	}
}

func TestReviewsThatEndEarly(t *testing.T) {
	t.Parallel()
	request := httptest.NewRequest(http.MethodPost, "/pods", io.NopCloser(strings.NewReader("{}")))
	request.Header.Set("Content-Type", "application/json")
	request.ContentLength = 3
	recorder := httptest.NewRecorder()
	newMutator(t).ServeHTTP(recorder, request)
	if recorder.Code != http.StatusBadRequest || !strings.Contains(recorder.Body.String(), "ends early") {
		t.Errorf("got %d %s", recorder.Code, recorder.Body)
	}
}

// A panic ends one request, and releases its room. It reads the process's metrics, so it is not parallel.
func TestPanicIsAnswered(t *testing.T) {
	m := newMutator(t)
	m.lookup.cached = nil
	before := panics(t)
	raw := []byte(`{"metadata":{"name":"app"},"spec":{}}`)
	if got := post(t, m, "application/json", string(review(raw))); got.Code != http.StatusInternalServerError {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	if got := panics(t) - before; got != 1 {
		t.Errorf("%v panics are counted", got)
	}
	if !m.room.structure.TryAcquire(maxStructure) {
		t.Error("its room was not released")
	}
}

func panics(t *testing.T) float64 {
	t.Helper()
	var metric dto.Metric
	if err := admissionmetrics.WebhookPanics.WithLabelValues().Write(&metric); err != nil {
		t.Fatal(err)
	}
	return metric.GetCounter().GetValue()
}

// What is not read of a pod decides nothing: a pod of which all is read gets the same answer.
func TestWhatIsReadOfPodsIsEnough(t *testing.T) {
	t.Parallel()
	byAddress := newMutator(t, shop()...)
	byAddress.options.Interception = Address
	for folder, m := range map[string]*mutator{
		"testdata": newMutator(t, shop()...), "testdata/address": byAddress, "testdata/workload-identity": newWorkloadIdentityMutator(t),
	} {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatal("no files", err)
		}
		for _, file := range files {
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				raw := readJSON(t, file)
				var all corev1.Pod
				if err := json.Unmarshal(raw, &all); err != nil {
					t.Fatal(err)
				}
				all.Namespace = "shop"
				want := m.admit(t.Context(), requestHead{Namespace: "shop"}, &all)
				got := m.answer(t.Context(), review(raw))
				if diff := cmp.Diff(fmt.Sprint(want.Allowed, want.Warnings), fmt.Sprint(got.Allowed, got.Warnings)); diff != "" {
					t.Errorf("answer (-all +what is read):\n%s", diff)
				}
				if diff := cmp.Diff(patched(t, raw, want), patched(t, raw, got)); diff != "" {
					t.Errorf("pod (-all +what is read):\n%s", diff)
				}
			})
		}
	}
}
