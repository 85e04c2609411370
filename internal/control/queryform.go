package control

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

// queryForm are the members of a request, each there once.
type queryForm map[string]string

// readQueryForm reads the members: the body of a POST, or the query of a GET.
func readQueryForm(w http.ResponseWriter, r *http.Request) (queryForm, error) {
	switch r.Method {
	case http.MethodGet:
		return parseQueryForm(r.URL.RawQuery)
	case http.MethodPost:
	default:
		return nil, fault.Wrap(fault.Invalid, errMalformedInput, "the method %s is not of the Query protocol", fault.Shortened(r.Method)).WithRemedy("use POST")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, unreadable(err)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, fault.Wrap(fault.Invalid, errMalformedInput, "the Content-Type is %q, not application/x-www-form-urlencoded", fault.Shortened(r.Header.Get("Content-Type"))).
			WithRemedy("send Action, Version and the members as a form")
	}
	return parseQueryForm(string(body))
}

// parseQueryForm reads name=value&…. A name that comes twice is refused: two readers could take two different ones.
func parseQueryForm(text string) (queryForm, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, errMalformedInput, "the form cannot be read: %v", err)
	}
	f := make(queryForm, len(values))
	for name, v := range values {
		if len(v) > 1 {
			return nil, invalid("the member %q comes %d times, once is allowed", fault.Shortened(name), len(v))
		}
		f[name] = v[0]
	}
	return f, nil
}

func invalid(format string, args ...any) *fault.Error {
	return fault.Wrap(fault.Invalid, iam.ErrValidation, format, args...)
}

// missing is in AWS's words.
func missing(name string) error {
	return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", lowerFirst(name))
}

func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// optional is a member, and whether it is there. An empty one is there, as its length is wrong and not its absence.
func (f queryForm) optional(name string) (value string, given bool) {
	value, given = f[name]
	return value, given
}

// required is a member of 1 to longest characters.
func (f queryForm) required(name string, longest int) (string, error) {
	v, given := f.optional(name)
	if !given {
		return "", missing(name)
	}
	if n := len([]rune(v)); n < 1 || n > longest {
		return "", invalid("%s has %d characters, 1 to %d are allowed", lowerFirst(name), n, longest)
	}
	return v, nil
}

// number is a member that is a whole number from lowest to highest; usual if it is absent.
func (f queryForm) number(name string, lowest, highest, usual int) (int, error) {
	v, given := f.optional(name)
	if !given {
		return usual, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, invalid("%s is %q, which is not a number", lowerFirst(name), fault.Shortened(v))
	}
	if n < lowest || n > highest {
		return 0, invalid("%s is %d, %d to %d are allowed", lowerFirst(name), n, lowest, highest)
	}
	return n, nil
}

// list is the members NAME.member.1 and so on, without a hole.
func (f queryForm) list(name string) ([]string, error) {
	groups, err := f.structures(name, "")
	values := make([]string, len(groups))
	for i, g := range groups {
		values[i] = g[""]
	}
	return values, err
}

// structures are the members of a list of structures, NAME.member.1.FIELD and so on, without a hole; the field "" is a
// member without one. A field that is not among the known ones is refused.
func (f queryForm) structures(name string, fields ...string) ([]map[string]string, error) {
	var found []map[string]string
	count := 0
	for {
		at := name + ".member." + strconv.Itoa(len(found)+1)
		g := map[string]string{}
		for _, field := range fields {
			member := at
			if field != "" {
				member += "." + field
			}
			if v, given := f[member]; given {
				g[field] = v
			}
		}
		if len(g) == 0 {
			break
		}
		count += len(g)
		found = append(found, g)
	}
	for member := range f {
		if strings.HasPrefix(member, name+".") {
			count--
		}
	}
	if count != 0 {
		return nil, invalid("%s has members that are no list of it: number them from 1 on", lowerFirst(name))
	}
	return found, nil
}

// needed refuses a list that is not there. An empty one is.
func (f queryForm) needed(name string, entries int) error {
	if _, given := f.optional(name); !given && entries == 0 {
		return missing(name)
	}
	return nil
}

// lacks refuses members of AWS's that Thingwire does not have, alone or as the beginning of a list or structure. An empty
// one asks for nothing, it is how SDKs write an empty list, and neither does a false one.
func (f queryForm) lacks(absent []string) error {
	for name, value := range f {
		for _, a := range absent {
			if name == a && value != "" && value != "false" || strings.HasPrefix(name, a+".") {
				return fault.New(fault.Unsupported, "%s is not implemented by Thingwire", a).WithRemedy("leave it out; see docs/compatibility.md")
			}
		}
	}
	return nil
}
