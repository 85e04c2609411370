package rest

import (
	"container/heap"
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

// maxSources bounds the lists that one is merged from: each is read for each page.
const maxSources = 1000

// source is a list, the newest first, that is read in pages.
type source[T any] struct {
	read func(backend.Page) ([]T, string, error)
	at   func(*T) time.Time

	found []T
	page  backend.Page
	over  bool // nothing follows what was found
}

// fill sees to it that there is an entry, if there is any more.
func (s *source[T]) fill() (err error) {
	for len(s.found) == 0 && !s.over {
		if s.found, s.page.After, err = s.read(s.page); err != nil {
			return err
		}
		s.over = s.page.After == ""
	}
	return nil
}

// sources are a heap: the one with the newest entry first. Each has an entry.
type sources[T any] []*source[T]

func (h sources[T]) Len() int { return len(h) }
func (h sources[T]) Less(i, j int) bool {
	return h[i].at(&h[i].found[0]).After(h[j].at(&h[j].found[0]))
}
func (h sources[T]) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface.
func (h *sources[T]) Push(x any) { *h = append(*h, x.(*source[T])) }

// Pop is heap.Interface.
func (h *sources[T]) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// merge gives limit entries of several lists behind offset ones, the newest first, and whether more follow.
func merge[T any](all []*source[T], limit, offset int) (found []T, more bool, err error) {
	if len(all) > maxSources {
		return nil, false, fault.New(fault.Invalid, "this list would be made of %d", len(all)).WithRemedy("ask for each device alone")
	}
	var h sources[T]
	for _, s := range all {
		s.page.Limit = (limit+offset)/len(all) + 2
		if err := s.fill(); err != nil {
			return nil, false, err
		}
		if len(s.found) > 0 {
			h = append(h, s)
		}
	}
	heap.Init(&h)
	for h.Len() > 0 {
		if len(found) == limit {
			return found, true, nil
		}
		first := h[0]
		if offset > 0 {
			offset--
		} else {
			found = append(found, first.found[0])
		}
		first.found = first.found[1:]
		if err := first.fill(); err != nil {
			return nil, false, err
		}
		if len(first.found) == 0 {
			heap.Pop(&h)
		} else {
			heap.Fix(&h, 0)
		}
	}
	return found, false, nil
}

// listMerged answers a page of a merged list. Where the next one begins is how many came before it.
func listMerged[T any](c *call, data []T, offset int, more bool) error {
	out := listed[T]{Data: append([]T{}, data...)}
	if more {
		q := c.query.copy()
		q.Set("offset", strconv.Itoa(offset+len(data)))
		out.Paging.Next = c.address(q)
	}
	return c.answer(200, out)
}
