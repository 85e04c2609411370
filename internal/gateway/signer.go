package gateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/mqtt"
	"github.com/thingwire/thingwire/internal/policy"
)

// webSocketLife is how long a connection over WebSocket lives at most (AWS IoT Core quotas, "WebSocket connection
// duration").
const webSocketLife = 24 * time.Hour

// identifySigner makes the caller of a connection whose upgrade was signed. It is registered first, so that no change of
// the key or of its user is missed.
func (c *conn) identifySigner() error {
	signer := c.ws.signer
	if signer == nil {
		return fault.New(fault.Unauthenticated, "the WebSocket upgrade was not signed").
			WithRemedy("sign its address with Signature Version 4 (service iotdevicegateway or iotdata) and an access key of `thingwire key list`; custom authorizers, which unsigned upgrades are for, are not there yet")
	}
	c.gateway.register(c)
	c.rights.Lock()
	defer c.rights.Unlock()
	id, err := c.gateway.guard.Keys().Again(context.Background(), signer)
	if err != nil {
		return err
	}
	c.caller = broker.NewCaller(awsapi.PrincipalOf(id), c.clientID, id.Policies, c.signed(id))
	return nil
}

// signed is what the policies of a signer may ask of the connection. Things have no value: they belong to certificates.
func (c *conn) signed(id *iam.Identity) *policy.Connection {
	return &policy.Connection{
		ClientID: c.clientID, HasClientID: true, SourceIP: c.remote, DomainName: c.domain, Extra: id.Vars,
	}
}

// signerChanged follows a change of the access key or its owner: new policies at once, or the end.
func (c *conn) signerChanged() {
	c.rights.Lock()
	defer c.rights.Unlock()
	id, err := c.gateway.guard.Keys().Again(context.Background(), c.ws.signer)
	if err != nil {
		c.fail(c.ws.revoked(err, time.Now()))
		return
	}
	if c.caller == nil {
		return // CONNECT will ask
	}
	c.caller.SetRights(id.Policies, c.signed(id))
	if c.session != nil {
		c.session.Refresh()
	}
}

// revoked is the end of a connection whose signer is not known any more, or not to be found out.
func (s *webSocket) revoked(err error, now time.Time) broker.Cause {
	if s.signer.Session() && !now.Before(s.signer.Expires) {
		return s.over()
	}
	why := err.Error()
	if e, ok := errors.AsType[*fault.Error](err); ok && iam.IsUnknown(err) {
		why = e.Remedy // the cause says nothing, as AWS's does
	}
	c := broker.Cause{
		Reason: broker.ServerInitiated, Code: byte(mqtt.CodeNotAuthorized),
		Text: "the signature of this connection opens nothing any more, access key " + s.signer.AccessKeyID + " of " + s.signer.Owner() + ": " + why,
	}
	if !iam.IsUnknown(err) {
		c.Reason, c.Code = broker.ServerError, byte(mqtt.CodeUnspecifiedError)
	}
	return c
}

// lifeOf is when a connection that begins now ends at the latest: after a day, or with its session.
func lifeOf(signer *iam.Identity, now time.Time) time.Time {
	until := now.Add(webSocketLife)
	if signer != nil && signer.Session() && signer.Expires.Before(until) {
		return signer.Expires
	}
	return until
}

// age ends a connection whose time is over. It is called by the wheel, which does not look farther than half an hour.
func (s *webSocket) age() {
	if left := time.Until(s.until); left > 0 {
		s.c.gateway.wheel.put(&s.life, left)
		return
	}
	s.c.fail(s.over())
}

func (s *webSocket) over() broker.Cause {
	c := broker.Cause{
		Reason: broker.WebSocketExpiration, Code: byte(mqtt.CodeAdministrativeAction),
		Text: "the WebSocket connection is 24 hours old: none lives longer",
	}
	if s.signer.Session() && s.until.Equal(s.signer.Expires) {
		c.Text = "the session that signed the WebSocket upgrade ended: access key " + s.signer.AccessKeyID + " of " +
			s.signer.Owner() + " was good until " + s.signer.Expires.UTC().Format(time.RFC3339)
	}
	return c
}

// keysChanged brings a change of an access key, of a user or a role or their policies to the connections that are signed
// with it.
func (g *Gateway) keysChanged(ch iam.Change) {
	name := ch.AccessKeyID
	if name == "" {
		name = ownerPrincipal(ch.User, ch.Role)
	}
	for _, c := range g.connsOf(name) {
		c.signerChanged()
	}
}

// ownerPrincipal is the name of a user or a role, whichever is not empty, in the gateway's index; access keys and
// certificates go by their ids.
func ownerPrincipal(user, role string) string {
	if role != "" {
		return "role/" + strings.ToLower(role)
	}
	return "user/" + strings.ToLower(user)
}
