package awsapi_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// Every kind has a status and a name in every service: an SDK cannot read an answer without.
func TestEveryKindHasAName(t *testing.T) {
	for service, kinds := range map[string]awsapi.Kinds{"control": awsapi.ControlKinds, "data": awsapi.DataKinds} {
		for kind, s := range kinds {
			if s.Code < 400 || !strings.HasSuffix(s.Name, "Exception") {
				t.Errorf("%s plane, kind %s: %+v", service, fault.Kind(kind), s)
			}
		}
	}
}

func TestFailureOnTheWire(t *testing.T) {
	for _, c := range []struct {
		name       string
		err        error
		status     int
		exception  string
		inMessage  string
		notMessage string
	}{
		{"a kind", fault.New(fault.NotFound, "no retained message").WithRemedy("publish one"), 404, "ResourceNotFoundException", "no retained message; publish one", ""},
		{"a label is no text", fault.Wrap(fault.Unauthenticated, sigv4.ErrExpired, "Signature expired"), 401, "UnauthorizedException", "Signature expired", "SignatureDoesNotMatch"},
		{"what is inside stays inside", errors.New("disk /dev/sda1 broke"), 500, "InternalFailureException", "request", "sda1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			id := awsapi.Begin(w)
			awsapi.DataKinds.FailureOf(c.err, id).Write(w)
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			message, _ := body["message"].(string)
			if w.Code != c.status || w.Header().Get("x-amzn-ErrorType") != c.exception || w.Header().Get("x-amzn-RequestId") != id {
				t.Errorf("got %d %v", w.Code, w.Header())
			}
			if !strings.Contains(message, c.inMessage) || c.notMessage != "" && strings.Contains(message, c.notMessage) {
				t.Errorf("message %q", message)
			}
			if _, number := body["code"]; number {
				t.Error("the body has a code, which the Go SDK cannot read")
			}
		})
	}
}

func TestSignatureName(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fault.Wrap(fault.Unauthenticated, sigv4.ErrMissing, "x"), "MissingAuthenticationTokenException"},
		{fault.Wrap(fault.Unauthenticated, iam.ErrUnrecognizedClient, "x"), "UnrecognizedClientException"},
		{fault.New(fault.Denied, "x"), ""},
	} {
		if got := awsapi.SignatureName(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}
