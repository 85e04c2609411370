package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// Thing is a thing as ListThings shows it.
type Thing struct {
	Name       string            `json:"thingName"`
	ARN        string            `json:"thingArn"`
	Type       string            `json:"thingTypeName,omitempty"`
	Attributes map[string]string `json:"attributes"`
	Version    int64             `json:"version"`
}

// Things lists all things by name.
func (c *Client) Things(ctx context.Context) ([]Thing, error) {
	return pages[Thing](ctx, c, Call{Method: http.MethodGet, Path: "/things"}, "things", "maxResults", "nextToken")
}

// pages collects the list that the answer has under member, which comes in pages.
func pages[T any](ctx context.Context, c *Client, call Call, member, size, token string) ([]T, error) {
	var all []T
	query := url.Values{size: {"250"}}
	for path := call.Path; ; {
		var out map[string]json.RawMessage
		call.Path, call.Out = path+"?"+query.Encode(), &out
		if err := c.Do(ctx, call); err != nil {
			return nil, err
		}
		var page []T
		if err := unmarshalIf(out[member], &page); err != nil {
			return nil, err
		}
		all = append(all, page...)
		var next string
		if err := errors.Join(unmarshalIf(out["nextToken"], &next), unmarshalIf(out["nextMarker"], &next)); err != nil {
			return nil, err
		}
		if next == "" {
			return all, nil
		}
		query.Set(token, next)
	}
}

// unmarshalIf reads a member that may be absent.
func unmarshalIf(data json.RawMessage, to any) error {
	if len(data) == 0 {
		return nil
	}
	return json.Unmarshal(data, to)
}

// Remove takes away a thing, the certificates that belong to it alone, and the policy that Provision made for it. The
// device is disconnected with its certificate. What other things or certificates still use stays.
func (c *Client) Remove(ctx context.Context, name string) error {
	thing := "/things/" + url.PathEscape(name)
	if err := c.Do(ctx, Call{Method: http.MethodGet, Path: thing}); err != nil {
		return err
	}
	principals, err := pages[string](ctx, c, Call{Method: http.MethodGet, Path: thing + "/principals"}, "principals", "maxResults", "nextToken")
	if err != nil {
		return err
	}
	for _, arn := range principals {
		if err := c.removePrincipal(ctx, name, arn); err != nil {
			return err
		}
	}
	if err := c.Do(ctx, Call{Method: http.MethodDelete, Path: thing}); err != nil {
		return err
	}
	return c.removePolicy(ctx, PolicyNameOf(name), len(principals) > 0)
}

// removePrincipal detaches a certificate from the thing; deletes it unless other things have it too.
func (c *Client) removePrincipal(ctx context.Context, thing, arn string) error {
	things, err := pages[string](ctx, c, Call{Method: http.MethodGet, Path: "/principals/things", Principal: arn}, "things", "maxResults", "nextToken")
	if err != nil {
		return err
	}
	_, id, isCertificate := strings.Cut(arn, ":cert/")
	alone := isCertificate && !slices.ContainsFunc(things, func(other string) bool { return other != thing })
	certificate := "/certificates/" + id
	if alone {
		// Deactivated before it is detached, so that it never stands for more than it did.
		if err := c.Do(ctx, Call{Method: http.MethodPut, Path: certificate + "?newStatus=INACTIVE"}); err != nil {
			return err
		}
	}
	detach := Call{Method: http.MethodDelete, Path: "/things/" + url.PathEscape(thing) + "/principals", Principal: arn}
	if err := c.Do(ctx, detach); err != nil || !alone {
		return err
	}
	return c.Do(ctx, Call{Method: http.MethodDelete, Path: certificate + "?forceDelete=true"})
}

// removePolicy deletes the policy of a removed thing unless something else holds it. A thing that never had a
// certificate was not made by Provision, and a policy of its name is somebody's own.
func (c *Client) removePolicy(ctx context.Context, name string, provisioned bool) error {
	if !provisioned {
		return nil
	}
	targets, err := pages[string](ctx, c, Call{Method: http.MethodPost, Path: "/policy-targets/" + url.PathEscape(name)}, "targets", "pageSize", "marker")
	if fault.Is(err, fault.NotFound) || err == nil && len(targets) > 0 {
		return nil
	}
	if err != nil {
		return err
	}
	err = c.Do(ctx, Call{Method: http.MethodDelete, Path: "/policies/" + url.PathEscape(name)})
	if fault.Is(err, fault.InUse) || fault.Is(err, fault.NotFound) {
		return nil // versions that somebody added, or somebody was faster
	}
	return err
}
