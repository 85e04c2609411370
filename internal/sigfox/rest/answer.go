package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

// problem is one thing that is wrong with a request.
type problem struct {
	Type    string `json:"type"` // body, query or path
	Field   string `json:"field"`
	Message string `json:"message"`
}

// refusedError is a request with problems, each named.
type refusedError struct{ problems []problem }

// Error names the first.
func (e *refusedError) Error() string { return e.problems[0].Field + ": " + e.problems[0].Message }

// Unwrap makes the kind known.
func (e *refusedError) Unwrap() error { return fault.New(fault.Invalid, "%s", e.Error()) }

func wrong(kind, field, message string) error {
	return &refusedError{[]problem{{kind, field, message}}}
}

// statuses are those of the API (Sigfox reference, section 12).
var statuses = awsapi.Kinds{
	fault.Internal:        {Code: http.StatusInternalServerError},
	fault.Invalid:         {Code: http.StatusBadRequest},
	fault.Unauthenticated: {Code: http.StatusUnauthorized},
	fault.Denied:          {Code: http.StatusForbidden},
	fault.NotFound:        {Code: http.StatusNotFound},
	fault.Exists:          {Code: http.StatusConflict},
	fault.Conflict:        {Code: http.StatusConflict},
	fault.InUse:           {Code: http.StatusConflict},
	fault.TooLarge:        {Code: http.StatusBadRequest},
	fault.Throttled:       {Code: http.StatusTooManyRequests},
	fault.Unavailable:     {Code: http.StatusServiceUnavailable},
	fault.Unsupported:     {Code: http.StatusNotImplemented},
}

// refuse answers with an error: 401 and 500 without a body, 400 with its problems.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := statuses[fault.KindOf(err)].Code
	if status != http.StatusUnauthorized { // which the journal has
		awsapi.LogRefusal(h.log, r, awsapi.RequestID(w), "", "", err)
	}
	switch {
	case errors.Is(err, errMethod):
		status = http.StatusMethodNotAllowed
	case status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="sigfox"`)
		w.WriteHeader(status)
		return
	case status == http.StatusInternalServerError:
		w.WriteHeader(status)
		return
	}
	body := struct {
		Message string    `json:"message"`
		Errors  []problem `json:"errors,omitempty"`
	}{Message: err.Error()}
	if status == http.StatusBadRequest {
		body.Errors = problemsOf(r, err)
		if body.Errors != nil {
			body.Message = "Bad Request"
		}
	}
	writeJSON(w, status, body)
}

func problemsOf(r *http.Request, err error) []problem {
	if e, ok := errors.AsType[*refusedError](err); ok {
		return e.problems
	}
	if field, ok := errors.AsType[backend.Field](err); ok {
		kind := "body"
		if field == "id" && r.Method != http.MethodPost { // a body that changes something has no id
			kind = "path"
		}
		return []problem{{kind, string(field), err.Error()}}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // people read the addresses of next pages
	if err := enc.Encode(v); err != nil {
		panic("rest: an answer that cannot be marshalled: " + err.Error())
	}
	body.Truncate(body.Len() - 1) // the line break
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // the client went away
}

func (c *call) answer(status int, v any) error {
	writeJSON(c.w, status, v)
	return nil
}

// done answers 204, which is what changes are answered with.
func (c *call) done(err error) error {
	if err == nil {
		c.w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// millis is a time as the API writes it, absent when there is none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
