package server

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/cloudformation"
	"github.com/thingwire/thingwire/internal/control"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// privatePrefix is where the private API lives, beside AWS's own paths.
const privatePrefix = "/_thingwire/v1/"

// privateAPI is what the command line needs beyond AWS's operations.
func privateAPI(cfg *Config, b *broker.Broker, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+privatePrefix+"subscribe", &live{broker: b, log: log})
	mux.HandleFunc("GET "+privatePrefix+"policies/{name}", func(w http.ResponseWriter, r *http.Request) {
		document, err := builtinPolicy(r.PathValue("name"), cfg.Account, cfg.Region)
		if err != nil {
			control.Refuse(log, w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"document": document}) // the client went away
	})
	mux.HandleFunc("GET "+privatePrefix+"sigfox/template", func(w http.ResponseWriter, _ *http.Request) {
		awsapi.WriteJSON(w, http.StatusOK, SigfoxTemplate{
			Template: cloudformation.SigfoxTemplate(cfg.sigfoxAccount()), SigfoxAccount: cfg.sigfoxAccount(), Account: cfg.Account, Region: cfg.Region,
		})
	})
	mux.HandleFunc(privatePrefix, func(w http.ResponseWriter, r *http.Request) {
		control.Refuse(log, w, r, fault.New(fault.Unsupported, "Thingwire has no %s %s", r.Method, r.URL.Path).WithRemedy("see docs/compatibility.md"))
	})
	return mux
}

// SigfoxTemplate is the template of the stack that lets the Sigfox cloud publish, and what its parameters are here.
type SigfoxTemplate struct {
	Template      string `json:"template"`
	SigfoxAccount string `json:"sigfoxAccount"` // which the role trusts
	Account       string `json:"account"`       // of the server
	Region        string `json:"region"`
}

// builtinPolicy is the text of a policy that Thingwire knows by name.
func builtinPolicy(name, account, region string) (string, error) {
	switch name {
	case PolicyAllowEverything:
		return policy.AllowEverything(account, region), nil
	case PolicyThingScoped:
		return policy.ThingScoped(account, region), nil
	}
	return "", fault.New(fault.NotFound, "there is no built-in policy named %q", name).
		WithRemedy("use %s or %s", PolicyThingScoped, PolicyAllowEverything)
}
