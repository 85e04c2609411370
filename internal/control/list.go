package control

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

// AWS pages in two families: the same thing under two sets of names, with two sizes when none is asked for.
var (
	byToken  = paging{token: "nextToken", next: "nextToken", size: "maxResults", usual: 250}
	byMarker = paging{token: "marker", next: "nextMarker", size: "pageSize", usual: 25}
)

const largestPage = 250

type paging struct {
	token, next, size string // where a page begins, where the one behind it does, how long it is
	usual             int
}

// list answers a request for a page of a list: member holds what show makes of each entry, [] if there is none.
func list[Entry, Shown any](c *call, p paging, member string,
	read func(context.Context, registry.Page) ([]Entry, string, error), show func(*Entry) Shown,
) (any, error) {
	page, err := c.page(p)
	if err != nil {
		return nil, err
	}
	entries, next, err := read(c.Context(), page)
	if err != nil {
		return nil, err
	}
	shown := make([]Shown, 0, len(entries))
	for i := range entries {
		shown = append(shown, show(&entries[i]))
	}
	out := map[string]any{member: shown}
	if next != "" {
		out[p.next] = c.token(next)
	}
	return out, nil
}

// listByAge is list for what AWS orders by creation date, either way.
func listByAge[Entry, Shown any](c *call, member string,
	read func(context.Context, bool, registry.Page) ([]Entry, string, error), show func(*Entry) Shown,
) (any, error) {
	ascending, err := c.boolean("isAscendingOrder")
	if err != nil {
		return nil, err
	}
	return list(c, byMarker, member, func(ctx context.Context, p registry.Page) ([]Entry, string, error) {
		return read(ctx, ascending, p)
	}, show)
}

// itself shows a name as it is.
func itself(name *string) string { return *name }

// page is the page that the request asks for.
func (c *call) page(p paging) (registry.Page, error) {
	page := registry.Page{Limit: p.usual}
	n, err := c.number(p.size)
	if err != nil {
		return page, err
	}
	if n != nil {
		if *n < 1 || *n > largestPage {
			return page, fault.New(fault.Invalid, "%s is %d, 1 to %d are allowed", p.size, *n, largestPage)
		}
		page.Limit = int(*n)
	}
	page.After, err = c.readToken(p.token, c.query.Get(p.token))
	return page, err
}

// token is where the next page begins, in the plain base64 that AWS's Marker must match; it names its operation, so that
// another one refuses it.
func (c *call) token(next string) string {
	return base64.StdEncoding.EncodeToString([]byte(c.op.name + "\x00" + next))
}

func (c *call) readToken(name, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	data, err := base64.StdEncoding.DecodeString(token)
	op, next, ok := strings.Cut(string(data), "\x00")
	if err != nil || !ok || op != c.op.name || next == "" {
		return "", fault.New(fault.Invalid, "%s was not given by %s", name, c.op.name).WithRemedy("begin again without one")
	}
	return next, nil
}
