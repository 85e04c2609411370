package server

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/control"
)

// plane is one of the services behind the HTTP doors: how its requests are signed, how much they may carry, and who
// answers them.
type plane struct {
	services []string // signing names
	maxBody  int64
	handler  http.Handler
	refuse   func(http.ResponseWriter, error) // writes a refusal as this plane's clients read it
}

// planes are all of them. Their paths do not collide, but for POST /, where the services of the Query protocol tell each
// other apart (API reference, "Routing on one port").
type planes struct {
	data, control, query plane
	ownsData             func(path string) bool // escaped
}

// of is the plane that a request is for. An endpoint URL that ends with a slash makes clients begin with two.
func (p *planes) of(r *http.Request) *plane {
	path := r.URL.EscapedPath()
	switch {
	case strings.Trim(path, "/") == "" && (r.Method == http.MethodPost || r.URL.Query().Has("Action")):
		return &p.query
	case p.ownsData != nil && p.ownsData(path):
		return &p.data
	}
	return &p.control
}

// largestRequest holds a policy document of 404,600 characters with every quote escaped, and a CloudFormation template
// in a form.
const largestRequest = 1 << 20

// openPlanes joins the services that stand on the rooms.
func (r *rooms) openPlanes(log *slog.Logger) {
	r.planes = planes{
		query: plane{
			services: awsapi.QueryServices, maxBody: largestRequest, refuse: control.WriteQueryFailure,
			handler: control.NewQuery(control.QueryConfig{Keys: r.guard.Keys(), Account: r.cfg.Account, Log: log}),
		},
		control: plane{
			services: awsapi.ControlServices, maxBody: largestRequest, handler: r.control, refuse: control.WriteFailure,
		},
	}
}

// serve hands a request to its plane in the name of a caller.
func (p *plane) serve(w http.ResponseWriter, r *http.Request, by awsapi.Caller) {
	p.handler.ServeHTTP(w, r.WithContext(awsapi.WithCaller(r.Context(), by)))
}
