package server

import (
	"net/http"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/sigfox/receive"
)

// sigfoxDoors answer what is not AWS's on the api listener: callbacks of a real Sigfox backend. They authenticate by
// themselves: who calls them cannot sign.
func (r *rooms) sigfoxDoors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !strings.HasPrefix(req.URL.Path, receive.Prefix) {
			next.ServeHTTP(w, req)
			return
		}
		if req.ContentLength != 0 {
			// A kept-alive connection gets a new deadline with its next request.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyPatience))
		}
		r.fox.receiver.ServeHTTP(w, req)
	})
}
