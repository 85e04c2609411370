package server

import (
	"github.com/thingwire/thingwire/internal/sigfox/receive"
)

// SigfoxReceiver is a receiving endpoint: a place for the callbacks of a real Sigfox backend.
type SigfoxReceiver = receive.Endpoint

// SigfoxReceiverDownlink is what the next request of a device is answered with.
type SigfoxReceiverDownlink = receive.Downlink

// newSigfoxReceiver is a receiving endpoint that is to be made, and its secret; one is made when it is empty.
type newSigfoxReceiver struct {
	SigfoxReceiver
	Secret string `json:"secret,omitempty"`
}

// SigfoxReceiverMade is a receiving endpoint with the secret that nobody can ask for a second time, and the path that
// callbacks go to.
type SigfoxReceiverMade struct {
	SigfoxReceiver
	Secret string `json:"secret"`
	Path   string `json:"path"` // on the api listener
}

// SigfoxReceiverPath is where the callbacks of an endpoint go, on the api listener. The secret is in it if the endpoint's
// is to be.
func SigfoxReceiverPath(e *SigfoxReceiver, secret string) string {
	path := receive.Prefix + e.Name
	if e.Auth == receive.AuthPath {
		path += "/" + secret
	}
	return path
}

func sigfoxListReceivers(c *sigfoxCall) (any, error) { return pageOf(c.receiver.Endpoints(), "", nil) }

func sigfoxCreateReceiver(c *sigfoxCall) (any, error) {
	var in newSigfoxReceiver
	if err := c.read(&in); err != nil {
		return nil, err
	}
	made, secret, err := c.receiver.Create(c.Context(), in.SigfoxReceiver, receive.Secret(in.Secret))
	if err != nil {
		return nil, err
	}
	return SigfoxReceiverMade{*made, secret.Reveal(), SigfoxReceiverPath(made, secret.Reveal())}, nil
}

func sigfoxGetReceiver(c *sigfoxCall) (any, error) {
	return c.receiver.Endpoint(c.PathValue("receiver"))
}

func sigfoxUpdateReceiver(c *sigfoxCall) (any, error) {
	return c.receiver.Edit(c.Context(), c.PathValue("receiver"), func(e *receive.Endpoint) error { return c.read(e) })
}

func sigfoxDeleteReceiver(c *sigfoxCall) (any, error) {
	return nothing(c.receiver.Delete(c.Context(), c.PathValue("receiver")))
}

func sigfoxQueueReceiverDownlink(c *sigfoxCall) (any, error) {
	data, expires, err := c.downlink()
	if err != nil {
		return nil, err
	}
	return c.receiver.QueueDownlink(c.Context(), c.PathValue("receiver"), c.device(), data, expires)
}
