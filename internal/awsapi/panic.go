package awsapi

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// Recover keeps a panic in a handler from reaching net/http, whose empty answer no SDK can read: it goes to the log under
// the request's id, and refuse answers. Handlers defer it.
func Recover(log *slog.Logger, r *http.Request, id, door string, refuse func(error)) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // a panic value, never wrapped
		panic(p)
	}
	log.ErrorContext(r.Context(), "panic in "+door, slog.String("request", id), slog.Any("panic", p),
		slog.String("stack", string(debug.Stack())))
	refuse(errors.New("panic"))
}
