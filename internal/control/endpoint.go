package control

import (
	"net"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// describeEndpoint answers a bare host name, without scheme and port, as AWS does.
func describeEndpoint(c *call) (any, error) {
	kind := c.query.Get("endpointType")
	switch kind {
	case "":
		kind = "iot:Data"
	case "iot:Data", "iot:Data-ATS", "iot:CredentialProvider", "iot:Jobs":
	default:
		return nil, fault.New(fault.Invalid, "%q is not an endpointType", kind).
			WithRemedy("use iot:Data-ATS, iot:Data, iot:CredentialProvider or iot:Jobs")
	}
	host := ""
	if c.cfg.Endpoints != nil {
		host = c.cfg.Endpoints()[kind]
	}
	if host == "" {
		host = ownHost(c.Host)
	}
	return struct {
		EndpointAddress string `json:"endpointAddress"`
	}{host}, nil
}

// ownHost is the name under which the client reached this server, without port and brackets.
func ownHost(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.Trim(host, "[]")
}
