package awsapi

import (
	"net/http"
	"net/netip"

	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// The signing names of AWS's services, old and new ones (API reference, "Services, hosts, signing names").
var (
	// DataServices sign requests of the data plane and upgrades to MQTT over WebSocket.
	DataServices = []string{"iotdata", "iotdevicegateway"}
	// JobsServices sign requests of the data plane of jobs.
	JobsServices = []string{"iot-jobs-data"}
	// ControlServices sign requests of the control plane; older clients say execute-api.
	ControlServices = []string{"iot", "execute-api"}
	// QueryServices sign requests of the Query protocol, which share POST /.
	QueryServices = []string{"sts", "iam", "cloudformation"}
)

// Guard says whose signature a request carries. It is safe for concurrent use.
type Guard struct {
	keys     *iam.Directory
	verifier sigv4.Verifier
}

// NewGuard makes a guard for the access keys and sessions of a directory.
func NewGuard(keys *iam.Directory) *Guard {
	g := &Guard{keys: keys}
	g.verifier.Lookup = keys.Secret
	return g
}

// Keys is the directory that the guard asks.
func (g *Guard) Keys() *iam.Directory { return g.keys }

// Verify verifies the signature of a request for one of the services, in its header or its query, and says whose it is.
// It reads the body and puts another one in its place. Errors are fault.Unauthenticated around a sigv4.ReasonError or an
// iam.NameError; a body that is too large is fault.TooLarge.
func (g *Guard) Verify(r *http.Request, services ...string) (*iam.Identity, sigv4.Credential, error) {
	c, err := g.verifier.Verify(r, services...)
	if err != nil {
		return nil, c, err
	}
	id, err := g.keys.Identify(r.Context(), c.AccessKeyID, c.Token)
	return id, c, err
}

// Caller is the caller that a verified signature makes, with what its policies may ask of the connection: an address, or
// the zero one, and the name that the client asked for by SNI.
func (g *Guard) Caller(id *iam.Identity, service string, from netip.Addr, domain string) Caller {
	return Caller{
		ARN: id.ARN, Principal: PrincipalOf(id), Policies: id.Policies, Identity: id, Service: service,
		Vars: &policy.Connection{SourceIP: from, DomainName: domain, Extra: id.Vars},
	}
}

// PrincipalOf is the principalIdentifier of a signature in lifecycle events and logs (AWS IoT Core developer guide,
// "Lifecycle events").
func PrincipalOf(id *iam.Identity) string { return id.Account + "/" + id.UserID }
