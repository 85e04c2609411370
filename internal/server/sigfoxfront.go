package server

import (
	"net/http"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/gateway"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/sigfox/receive"
	"github.com/thingwire/thingwire/internal/sigfox/rest"
)

// sigfoxDoors answer what is not AWS's on the api listener: Sigfox's REST API, and callbacks of a real Sigfox backend. They
// authenticate by themselves: who calls them cannot sign.
func (r *rooms) sigfoxDoors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var door http.Handler
		switch {
		case strings.HasPrefix(req.URL.Path, receive.Prefix):
			door = r.fox.receiver
		case rest.Owns(req.URL.Path):
			door = r.fox.rest
		default:
			next.ServeHTTP(w, req)
			return
		}
		if req.ContentLength != 0 {
			// A kept-alive connection gets a new deadline with its next request.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyPatience))
		}
		door.ServeHTTP(w, req)
	})
}

// noteLogin records a request of the REST API that nobody was let in with. The login is not verified, but it is what its
// owner asks for.
func (r *rooms) noteLogin(w http.ResponseWriter, req *http.Request, login string, err error) {
	peer := gateway.PeerOf(req.Context())
	e := broker.Entry(journal.Entry{
		EventType: journal.AuthNError, LogLevel: journal.LevelError, Protocol: "HTTP", TraceID: awsapi.RequestID(w), PrincipalID: login,
		AuthType: "BASIC", Listener: string(peer.Listener), Packet: req.Method,
	}, err)
	peer.Locate(&e)
	r.journal.Record(e)
}
