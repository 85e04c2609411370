package control

import (
	"context"

	"github.com/thingwire/thingwire/internal/policy"
)

// Caller is who asks: an IAM user, a role session, or the root of the admin socket.
type Caller struct {
	ARN      string      // names the caller in refusals
	Policies *policy.Set // decide what it may do; nil allows nothing
	Vars     policy.Vars // condition keys and variables of the caller; may be nil
}

type callerKey struct{}

// WithCaller puts the caller that a door has authenticated into the context of its request.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// Root is the caller of the admin socket, whose authority is the permission to open the file: it may do everything.
func Root(account string) Caller {
	return Caller{ARN: "arn:aws:iam::" + account + ":root", Policies: policy.AllowAll()}
}

// CallerFrom is the caller of a request, false if no door has put one there.
func CallerFrom(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}
