package dataplane

import (
	"errors"
	"io"
	"net/http"

	"github.com/thingwire/thingwire/internal/fault"
)

// firstRead is how much memory a body gets before anything of it has come; more follows what came, not what was announced.
const firstRead = 4 << 10

// readBody reads the whole body into buf's memory. A body over the limit is refused by its announced length, or as soon as
// it has passed the limit.
func readBody(r *http.Request, buf []byte, limit int) ([]byte, error) {
	buf = buf[:0]
	if r.ContentLength > int64(limit) {
		return buf, errTooLarge(limit)
	}
	if r.ContentLength == 0 || r.Body == nil {
		return buf, nil
	}
	if cap(buf) == 0 {
		buf = make([]byte, 0, min(firstRead, limit+1))
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Body.Read(buf[len(buf):min(cap(buf), limit+1)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return buf, errTooLarge(limit)
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return buf, unreadable(err, limit)
		}
	}
}

func unreadable(err error, limit int) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge(limit)
	}
	return fault.Wrap(fault.Invalid, err, "the body ended before it was complete").
		WithRemedy("send as many bytes as Content-Length announces, or whole chunks")
}

func errTooLarge(limit int) error {
	return fault.New(fault.TooLarge, "the payload is over the limit of %d bytes", limit).WithRemedy("send less, or in parts")
}
