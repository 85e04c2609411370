package awsapi

import (
	"context"

	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/policy"
)

// Caller is who asks: an IAM user or a session by its signature, a device by its certificate, or the root of the admin
// socket.
type Caller struct {
	// ARN names the caller in refusals.
	ARN string
	// Principal is the caller in lifecycle events and in the journal: a certificate's id, ACCOUNT/USERID of a signature,
	// the account of the root.
	Principal string
	Policies  *policy.Set // decide what it may do; nil allows nothing
	Vars      policy.Vars // condition keys and variables of the caller; may be nil

	// Identity is whose signature it was, nil for callers without one.
	Identity *iam.Identity
	// Denied hears of what Authorise refuses; may be nil.
	Denied func(Denial)
	// Service is the signing name of the signature ("iot", "execute-api", "iotdata", "sts"), empty without one.
	Service string
}

type callerKey struct{}

// WithCaller puts the caller that a door has authenticated into the context of its request.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// Root is the caller of the admin socket, whose authority is the permission to open the file: it may do everything.
func Root(account string) Caller {
	return Caller{ARN: "arn:aws:iam::" + account + ":root", Principal: account, Policies: policy.AllowAll()}
}

// CallerFrom is the caller of a request, false if no door has put one there.
func CallerFrom(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}
