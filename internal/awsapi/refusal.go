package awsapi

import (
	"log/slog"
	"net/http"

	"github.com/thingwire/thingwire/internal/fault"
)

// LogRefusal writes a refused request to the log, where the id in its answer finds it: what the caller did wrong for its
// information, what went wrong inside as an error. The query is left out, which may hold a signature. Name is what the
// answer calls the error, operation what was asked for; what is empty is left out.
func LogRefusal(log *slog.Logger, r *http.Request, id, name, operation string, err error) {
	level := slog.LevelInfo
	if fault.Is(err, fault.Internal) {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("request", id), slog.String("from", r.RemoteAddr), slog.String("method", fault.Shortened(r.Method)),
		slog.String("path", fault.Shortened(r.URL.EscapedPath())),
	}
	if operation != "" {
		attrs = append(attrs, slog.String("operation", operation))
	}
	if name != "" {
		attrs = append(attrs, slog.String("error", name))
	}
	log.LogAttrs(r.Context(), level, "request refused", append(attrs, slog.Any("err", err))...)
}
