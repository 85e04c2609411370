package rest

import "strings"

// fields are the optional parts that a request asks for: device(name) is {"device": {"name": nil}}.
type fields map[string]fields

func (f fields) has(path ...string) bool {
	for _, name := range path {
		inner, ok := f[name]
		if !ok {
			return false
		}
		f = inner
	}
	return true
}

const maxFields = 1000

// parseFields reads the parameter fields: names with commas between them, each with the parts that are wanted of it in
// parentheses. known has what may be asked for.
func parseFields(text string, known fields) (fields, error) {
	if len(text) > maxFields {
		return nil, wrong("query", "fields", "it is too long")
	}
	f, rest, err := parseList(text, known)
	if err == nil && rest != "" {
		err = wrong("query", "fields", "a parenthesis is closed that was not opened")
	}
	return f, err
}

func parseList(text string, known fields) (f fields, rest string, err error) {
	f = fields{}
	for rest = text; ; {
		end := strings.IndexAny(rest, ",()")
		if end < 0 {
			end = len(rest)
		}
		name := strings.TrimSpace(rest[:end])
		rest = rest[end:]
		inner, ok := known[name]
		if !ok {
			return nil, "", wrong("query", "fields", "Thingwire has no optional part \""+clip(name)+"\" here")
		}
		if f[name] == nil {
			f[name] = fields{}
		}
		if strings.HasPrefix(rest, "(") {
			if f[name], rest, err = parseList(rest[1:], inner); err != nil {
				return nil, "", err
			}
			if !strings.HasPrefix(rest, ")") {
				return nil, "", wrong("query", "fields", "a parenthesis is not closed")
			}
			rest = rest[1:]
		}
		if !strings.HasPrefix(rest, ",") {
			return f, rest, nil
		}
		rest = rest[1:]
	}
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return strings.ToValidUTF8(s, "")
}

// fields reads the parameter, nothing when it is absent.
func (q query) fields(known fields) (fields, error) {
	if !q.Has("fields") {
		return fields{}, nil
	}
	return parseFields(q.Get("fields"), known)
}

// of makes what may be asked for out of names.
func of(names ...string) fields {
	f := fields{}
	for _, name := range names {
		f[name] = fields{}
	}
	return f
}
