package policy

import (
	"crypto/x509"
	"net/netip"
	"strconv"
	"strings"
)

// Connection is what the policies of a device can ask about its connection: the variables of AWS's pages "Basic AWS IoT
// Core policy variables", "Thing policy variables" and "X.509 Certificate AWS IoT Core policy variables". It is read-only
// once a Request refers to it. A nil *Connection knows nothing.
type Connection struct {
	// ClientID is the MQTT client id; HasClientID is false for HTTPS, where iot:ClientId has no value.
	ClientID    string
	HasClientID bool
	// SourceIP is the address of the peer; the zero Addr means unknown.
	SourceIP netip.Addr
	// DomainName is the SNI name, "" when the client sent none.
	DomainName string

	// ThingName is the thing of this connection: the client id is its name and it is attached to the principal, or it is
	// attached exclusively. "" when there is none; the other thing fields then have no meaning.
	ThingName       string
	ThingTypeName   string
	ThingAttributes map[string]string
	// ThingAttached is iot:Connection.Thing.IsAttached, which always has a value.
	ThingAttached bool

	// CertificateID is 64 hexadecimal digits, "" for callers without a certificate.
	CertificateID string
	// Certificate may be nil.
	Certificate *x509.Certificate

	// Extra holds further variables, folded by Fold, such as aws:username for a SigV4 caller or
	// cognito-identity.amazonaws.com:sub. May be nil.
	Extra Values
}

var _ Vars = (*Connection)(nil)

// The names of the variables of a connection, folded.
const (
	varClientID       = "iot:clientid"
	varSourceIP       = "aws:sourceip"
	varDomainName     = "iot:domainname"
	varThingName      = "iot:connection.thing.thingname"
	varThingNameOld   = "iot:thing.thingname" // still in examples of "Publish/Subscribe policy examples"
	varThingType      = "iot:connection.thing.thingtypename"
	varThingAttached  = "iot:connection.thing.isattached"
	varThingAttribute = "iot:connection.thing.attributes["
	varCertificateID  = "iot:certificateid"
	varCertificate    = "iot:certificate."
)

// Value implements Vars.
func (c *Connection) Value(name string) (Value, bool) {
	if c == nil {
		return Value{}, false
	}
	name = Fold(name)
	switch name {
	case varClientID:
		return One(c.ClientID), c.HasClientID
	case varSourceIP:
		return One(c.SourceIP.Unmap().WithZone("").String()), c.SourceIP.IsValid()
	case varDomainName:
		return present(c.DomainName)
	case varThingName, varThingNameOld:
		return present(c.ThingName)
	case varThingAttached:
		return One(strconv.FormatBool(c.ThingAttached)), true
	case varThingType:
		return c.thing(c.ThingTypeName)
	case varCertificateID:
		return present(c.CertificateID)
	}
	if attribute, ok := strings.CutPrefix(name, varThingAttribute); ok {
		return c.thing(c.ThingAttributes[strings.TrimSuffix(attribute, "]")])
	}
	if rest, ok := strings.CutPrefix(name, varCertificate); ok && c.Certificate != nil {
		return certificateValue(c.Certificate, rest)
	}
	return c.Extra.Value(name)
}

// thing is a value that a connection has only together with a thing.
func (c *Connection) thing(s string) (Value, bool) {
	if c.ThingName == "" {
		return Value{}, false
	}
	return present(s)
}

// present takes the empty string for no value.
func present(s string) (Value, bool) { return One(s), s != "" }
