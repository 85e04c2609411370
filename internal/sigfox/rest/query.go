package rest

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

// query are the parameters of a request, each at most once.
type query struct{ url.Values }

// readQuery refuses parameters that an operation does not have: one that is ignored would have narrowed the answer.
func readQuery(raw, known string) (q query, err error) {
	if q.Values, err = url.ParseQuery(raw); err != nil {
		return q, wrong("query", "", "the query cannot be read")
	}
	names := strings.Fields(known)
	for name, values := range q.Values {
		if !slices.Contains(names, name) {
			return q, wrong("query", name, "Thingwire does not have this parameter here")
		}
		if len(values) > 1 {
			return q, wrong("query", name, "it is there more than once")
		}
	}
	return q, nil
}

// Bounds of a list (Sigfox reference, section 12). Far offsets cost what lies before them; next has none.
const (
	maxLimit  = 100
	maxOffset = 10_000
)

func (q query) number(name string, usually, least, most int) (int, error) {
	text := q.Get(name)
	if !q.Has(name) {
		return usually, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, wrong("query", name, "use "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n, nil
}

var pagePattern = regexp.MustCompile(`^[0-9A-Za-z/]{1,128}$`)

// page is which part of a list is asked for, and how many of it are left out.
func (q query) page() (p backend.Page, offset int, err error) {
	if p.Limit, err = q.number("limit", maxLimit, 1, maxLimit); err != nil {
		return p, 0, err
	}
	if offset, err = q.number("offset", 0, 0, maxOffset); err != nil {
		return p, 0, err
	}
	p.After = q.Get("pageId")
	if q.Has("pageId") && !pagePattern.MatchString(p.After) {
		return p, 0, wrong("query", "pageId", "it is not of a page that was answered")
	}
	return p, offset, nil
}

// listing is what all lists are asked with: optional parts, a page, an order. Lists are kept in one order alone.
func (q query) listing(known fields) (f fields, p backend.Page, offset int, err error) {
	if f, err = q.fields(known); err != nil {
		return nil, p, 0, err
	}
	if q.Has("sort") && q.Get("sort") != "id" {
		return nil, p, 0, wrong("query", "sort", "Thingwire lists in the order of ids: use id")
	}
	p, offset, err = q.page()
	return f, p, offset, err
}

// instant is a time in milliseconds.
func (q query) instant(name string) (time.Time, error) {
	if !q.Has(name) {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(q.Get(name), 10, 64)
	if err != nil || n < 0 || n > 1e15 {
		return time.Time{}, wrong("query", name, "use milliseconds since 1970")
	}
	return time.UnixMilli(n).UTC(), nil
}

func (q query) window() (since, before time.Time, err error) {
	if since, err = q.instant("since"); err != nil {
		return since, before, err
	}
	before, err = q.instant("before")
	return since, before, err
}

// listed is a page of a list.
type listed[T any] struct {
	Data   []T   `json:"data"`
	Paging paged `json:"paging"`
}

type paged struct {
	Next string `json:"next,omitempty"`
}

// list answers a page; next is where the following one begins, empty for the last.
func list[T any](c *call, data []T, next string) error {
	out := listed[T]{Data: append([]T{}, data...)}
	if next != "" {
		q := c.query.copy()
		q.Del("offset")
		q.Set("pageId", next)
		out.Paging.Next = c.address(q)
	}
	return c.answer(200, out)
}

func (q query) copy() url.Values {
	out := url.Values{}
	maps.Copy(out, q.Values)
	return out
}

// address is the path that was asked for with another query, as the client calls it.
func (c *call) address(q url.Values) string {
	return c.base() + c.r.URL.EscapedPath() + "?" + q.Encode()
}

// collect reads a list with read until limit entries behind the offset are wanted ones.
func collect[T any](p backend.Page, offset int, want func(*T) bool, read func(backend.Page) ([]T, string, error)) (found []T, next string, err error) {
	if offset == 0 && want == nil {
		return read(p)
	}
	limit := p.Limit
	for len(found) < limit {
		p.Limit = limit - len(found)
		if offset > 0 {
			p.Limit = min(offset, maxLimit)
		}
		page, after, err := read(p)
		if err != nil {
			return nil, "", err
		}
		for i := range page {
			switch {
			case want != nil && !want(&page[i]):
			case offset > 0:
				offset--
			default:
				found = append(found, page[i])
			}
		}
		next, p.After = after, after
		if after == "" {
			break
		}
	}
	return found, next, nil
}
