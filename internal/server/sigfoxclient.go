package server

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

type (
	// SigfoxDeviceType is a device type.
	SigfoxDeviceType = backend.DeviceType
	// SigfoxDevice is a device and how it communicates.
	SigfoxDevice = backend.DeviceStatus
	// SigfoxCallback is a callback, and whether its last use failed.
	SigfoxCallback = backend.CallbackStatus
	// SigfoxDraft is an AWS_IOT callback that is not saved yet.
	SigfoxDraft = backend.Draft
	// SigfoxMessage is a message with what became of it.
	SigfoxMessage = backend.Listed
	// SigfoxUndelivered is a delivery that was given up.
	SigfoxUndelivered = backend.Undelivered
	// SigfoxOOB is a service frame of a modem.
	SigfoxOOB = backend.OOB
	// SigfoxQueued is a downlink that waits for a device's request.
	SigfoxQueued = backend.QueuedDownlink
)

// SigfoxPath is a path of the private API below the Sigfox backend; each part is escaped.
func SigfoxPath(parts ...string) string {
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return sigfoxPrefix + strings.Join(parts, "/")
}

// SigfoxList collects a list that comes in pages. query, if not empty, narrows it.
func SigfoxList[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	var all []T
	if query == nil {
		query = url.Values{}
	}
	for {
		var page sigfoxPage[T]
		if err := c.Do(ctx, Call{Method: http.MethodGet, Path: path + "?" + query.Encode(), Out: &page}); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.NextToken == "" {
			return all, nil
		}
		query.Set("nextToken", page.NextToken)
	}
}

// SigfoxMessages gives the newest messages of a device, the newest first.
func (c *Client) SigfoxMessages(ctx context.Context, device string, limit int) ([]SigfoxMessage, error) {
	var all []SigfoxMessage
	query := url.Values{}
	for limit > 0 {
		query.Set("maxResults", strconv.Itoa(min(limit, maxSigfoxPage)))
		var page sigfoxPage[SigfoxMessage]
		if err := c.Do(ctx, Call{Method: http.MethodGet, Path: SigfoxPath("devices", device, "messages") + "?" + query.Encode(), Out: &page}); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.NextToken == "" {
			break
		}
		limit -= len(page.Items)
		query.Set("nextToken", page.NextToken)
	}
	return all, nil
}

// SendSigfoxUplink sends a frame. One that awaits its downlink is answered after 20 seconds.
func (c *Client) SendSigfoxUplink(ctx context.Context, device string, u *SigfoxUplink) (*SigfoxUplinked, error) {
	var out SigfoxUplinked
	err := c.Do(ctx, Call{Method: http.MethodPost, Path: SigfoxPath("devices", device, "uplinks"), In: u, Out: &out})
	return &out, err
}
