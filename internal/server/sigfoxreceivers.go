package server

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/receive"
)

// SigfoxReceiver is a receiving endpoint: a place for the callbacks of a real Sigfox backend.
type SigfoxReceiver = receive.Endpoint

// NewSigfoxReceiver is a receiving endpoint that is to be made, and its secret; one is made when it is empty.
type NewSigfoxReceiver struct {
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

// sigfoxQueue asks for a downlink to be queued.
type sigfoxQueue struct {
	Data    string  `json:"data"`    // 16 hexadecimal digits
	Expires float64 `json:"expires"` // seconds from now; 0 is never
}

func sigfoxListReceivers(c *sigfoxCall) (any, error) { return pageOf(c.receiver.Endpoints(), "", nil) }

func sigfoxCreateReceiver(c *sigfoxCall) (any, error) {
	var in NewSigfoxReceiver
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
	var in sigfoxQueue
	if err := c.read(&in); err != nil {
		return nil, err
	}
	var expires time.Time
	if in.Expires != 0 {
		if !(in.Expires > 0 && in.Expires < 1e9) {
			return nil, fault.New(fault.Invalid, "expires is %g", in.Expires).WithRemedy("say after how many seconds the downlink is of no use")
		}
		expires = time.Now().Add(time.Duration(in.Expires * float64(time.Second)))
	}
	return c.receiver.QueueDownlink(c.Context(), c.PathValue("receiver"), c.PathValue("device"), in.Data, expires)
}

// CreateSigfoxReceiver makes a receiving endpoint.
func (c *Client) CreateSigfoxReceiver(ctx context.Context, e *NewSigfoxReceiver) (*SigfoxReceiverMade, error) {
	var out SigfoxReceiverMade
	return &out, c.Do(ctx, Call{Method: http.MethodPost, Path: SigfoxPath("receivers"), In: e, Out: &out})
}

// SigfoxReceivers gives all receiving endpoints.
func (c *Client) SigfoxReceivers(ctx context.Context) ([]SigfoxReceiver, error) {
	return SigfoxList[SigfoxReceiver](ctx, c, SigfoxPath("receivers"), url.Values{})
}

// SigfoxReceiver gives one by its name.
func (c *Client) SigfoxReceiver(ctx context.Context, name string) (*SigfoxReceiver, error) {
	var out SigfoxReceiver
	return &out, c.Do(ctx, Call{Method: http.MethodGet, Path: SigfoxPath("receivers", name), Out: &out})
}

// UpdateSigfoxReceiver changes the members of a receiving endpoint that change has, by their names in JSON.
func (c *Client) UpdateSigfoxReceiver(ctx context.Context, name string, change map[string]any) (*SigfoxReceiver, error) {
	var out SigfoxReceiver
	return &out, c.Do(ctx, Call{Method: http.MethodPatch, Path: SigfoxPath("receivers", name), In: change, Out: &out})
}

// DeleteSigfoxReceiver takes a receiving endpoint away.
func (c *Client) DeleteSigfoxReceiver(ctx context.Context, name string) error {
	return c.Do(ctx, Call{Method: http.MethodDelete, Path: SigfoxPath("receivers", name)})
}

// QueueSigfoxReceiverDownlink keeps what the next request of a device is answered with; expires is in seconds, 0 is never.
func (c *Client) QueueSigfoxReceiverDownlink(ctx context.Context, name, device, data string, expires float64) error {
	return c.Do(ctx, Call{
		Method: http.MethodPut, Path: SigfoxPath("receivers", name, "devices", device, "downlink"), In: sigfoxQueue{data, expires},
	})
}
