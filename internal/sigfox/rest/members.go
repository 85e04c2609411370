package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// maxBody bounds a request, in bytes: a callback's body may have 128 KiB, and more when it is escaped.
const maxBody = 1 << 20

// members are those of a request's body, as far as nobody has taken them.
type members struct {
	left     map[string]json.RawMessage
	problems []problem
}

// read reads the body, one JSON object.
func (c *call) read() (*members, error) {
	text, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, wrong("body", "", "it is larger than 1 MiB")
	}
	if err != nil {
		return nil, wrong("body", "", "it ended before it was complete")
	}
	m := &members{}
	if err := json.Unmarshal(text, &m.left); err != nil || m.left == nil {
		return nil, wrong("body", "", "it is no JSON object")
	}
	return m, nil
}

func (m *members) wrong(name, message string) {
	m.problems = append(m.problems, problem{"body", name, message})
}

// words say what a member has to be.
func words(v any) string {
	switch v.(type) {
	case *string, **string:
		return "it must be text"
	case *bool:
		return "it must be true or false"
	case *int:
		return "it must be a whole number"
	case **float64:
		return "it must be a number"
	case *map[string]string:
		return "it must be an object of texts"
	}
	return "it is of another type"
}

// take puts a member where it belongs: null unsets, what is absent stays. It reports whether the member was there.
func take[T any](m *members, name string, into *T) bool {
	raw, ok := m.left[name]
	delete(m.left, name)
	if !ok {
		return false
	}
	var v T
	if !bytes.Equal(raw, []byte("null")) {
		if err := json.Unmarshal(raw, &v); err != nil {
			m.wrong(name, words(into))
			return true
		}
	}
	*into = v
	return true
}

// takeOr is take with what null means.
func takeOr[T any](m *members, name string, into *T, null T) {
	if string(m.left[name]) == "null" {
		delete(m.left, name)
		*into = null
		return
	}
	take(m, name, into)
}

// accept takes members that mean nothing here: of groups, contracts and tokens there is one of each.
func (m *members) accept(names ...string) {
	for _, name := range names {
		delete(m.left, name)
	}
}

// require names members that have to be there.
func (m *members) require(names ...string) {
	for _, name := range names {
		if raw, ok := m.left[name]; !ok || string(raw) == "null" {
			m.wrong(name, "it is required")
		}
	}
}

// done refuses what was wrong, and members that nobody took.
func (m *members) done() error {
	for _, name := range slices.Sorted(maps.Keys(m.left)) {
		m.wrong(clip(name), "Thingwire does not have this member")
	}
	if len(m.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(m.problems, func(a, b problem) int { return strings.Compare(a.Field, b.Field) })
	return &refusedError{m.problems}
}
