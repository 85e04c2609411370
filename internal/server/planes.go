package server

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/control"
	"github.com/thingwire/thingwire/internal/dataplane"
)

// plane is one of the services behind the HTTP doors: how its requests are signed, how much they may carry, and who
// answers them.
type plane struct {
	services []string // signing names
	maxBody  int64    // bytes
	handler  http.Handler
	refuse   func(http.ResponseWriter, *http.Request, error) // writes a refusal as this plane's clients read it
	notes    bool                                            // it writes its own refusals to the journal
}

// planes are all of them. Their paths do not collide, but for POST /, where the services of the Query protocol tell each
// other apart, and those of jobs, where the signing name does (API reference, "Routing on one port").
type planes struct{ data, control, query plane }

// of is the plane that a request is for. An endpoint URL that ends with a slash makes clients begin with two.
func (p *planes) of(r *http.Request) *plane {
	switch {
	case strings.Trim(r.URL.Path, "/") == "" && (r.Method == http.MethodPost || r.URL.Query().Has("Action")):
		return &p.query
	case dataplane.Owns(r):
		return &p.data
	}
	return &p.control
}

// largestRequest holds a policy document of 404,600 characters with every quote escaped, and a CloudFormation template
// in a form.
const largestRequest = 1 << 20

// openPlanes joins the services that stand on the rooms.
func (r *rooms) openPlanes(log *slog.Logger) {
	data := dataplane.New(dataplane.Config{Broker: r.broker, Journal: r.journal, Log: log})
	r.planes = planes{
		data: plane{
			services: slices.Concat(awsapi.DataServices, awsapi.JobsServices), maxBody: int64(r.broker.Limits().Payload),
			handler: data, refuse: data.Refuse, notes: true,
		},
		control: plane{
			services: awsapi.ControlServices, maxBody: largestRequest, refuse: anyway(control.WriteFailure),
			handler: r.control,
		},
		query: plane{
			services: awsapi.QueryServices, maxBody: largestRequest, refuse: anyway(control.WriteQueryFailure),
			handler: control.NewQuery(control.QueryConfig{Keys: r.guard.Keys(), Stacks: r.stacks, Account: r.cfg.Account, Log: log}),
		},
	}
}

// serve hands a request to its plane in the name of a caller.
func (p *plane) serve(w http.ResponseWriter, r *http.Request, by awsapi.Caller) {
	p.handler.ServeHTTP(w, r.WithContext(awsapi.WithCaller(r.Context(), by)))
}

// anyway is a refusal that does not depend on the request.
func anyway(refuse func(http.ResponseWriter, error)) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, err) }
}
