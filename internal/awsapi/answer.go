package awsapi

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/google/uuid"
)

// requestID is the header of an answer that SDKs show, and the log and the journal know.
const requestID = "X-Amzn-Requestid"

// Begin gives an answer its request id. Every door calls it first; a second call keeps the first id.
func Begin(w http.ResponseWriter) (id string) {
	if id = RequestID(w); id == "" {
		id = uuid.NewString()
		w.Header()[requestID] = []string{id}
	}
	return id
}

// RequestID is the id of an answer, empty before Begin.
func RequestID(w http.ResponseWriter) string {
	if v := w.Header()[requestID]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// WriteJSON answers with a JSON document; nil is {}.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	body := []byte("{}")
	if v != nil {
		var err error
		if body, err = json.Marshal(v); err != nil {
			status, body = http.StatusInternalServerError, []byte(`{"message":"the answer cannot be written"}`)
		}
	}
	WriteBody(w, status, body)
}

// WriteBody answers with JSON text as it is.
func WriteBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client went away
}

// EndOf is one end of a connection in the members of an answer; an end that is not known has none.
func EndOf(a netip.AddrPort) (ip string, port uint16) {
	if !a.IsValid() {
		return "", 0
	}
	return a.Addr().String(), a.Port()
}
