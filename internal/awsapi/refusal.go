package awsapi

import (
	"log/slog"
	"net/http"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/thingwire/thingwire/internal/fault"
)

// How many refusals of what callers did wrong reach the log: of the whole process, whichever door refuses.
const (
	refusalsPerSecond = 100
	refusalsAtOnce    = 2000
)

// bounded decides which refusals reach a log.
type bounded struct {
	limit   *rate.Limiter
	leftOut atomic.Int64
}

func newBounded() *bounded {
	return &bounded{limit: rate.NewLimiter(refusalsPerSecond, refusalsAtOnce)}
}

var refusals = newBounded()

// LogRefusal writes a refused request to the log, where the id in its answer finds it: what the caller did wrong for its
// information, what went wrong inside as an error. The query is left out, which may hold a signature. Name is what the
// answer calls the error, operation what was asked for; what is empty is left out. Refusals that never end do not fill the
// disk: beyond refusalsPerSecond they are counted, and the next line says how many; the journal has them all the same.
func LogRefusal(log *slog.Logger, r *http.Request, id, name, operation string, err error) {
	refusals.write(log, r, id, name, operation, err)
}

func (b *bounded) write(log *slog.Logger, r *http.Request, id, name, operation string, err error) {
	level := slog.LevelInfo
	if fault.Is(err, fault.Internal) {
		level = slog.LevelError
	} else if !b.limit.Allow() {
		b.leftOut.Add(1)
		return
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
	if n := b.leftOut.Swap(0); n > 0 {
		attrs = append(attrs, slog.Int64("left_out_before", n))
	}
	log.LogAttrs(r.Context(), level, "request refused", append(attrs, slog.Any("err", err))...)
}
