package policy

import (
	"strconv"
	"strings"
	"time"
)

// Names that the engine itself answers or watches, folded.
const (
	keyCurrentTime    = "aws:currenttime"
	keyEpochTime      = "aws:epochtime"
	keyTokenIssueTime = "aws:tokenissuetime"
	keyExternalID     = "sts:externalid"
)

// maxCertificateValue is the longest certificate attribute that AWS IoT puts into a variable.
const maxCertificateValue = 1024

// asking is one evaluation under way: the request and what was looked at. It lives on the stack of Decide, therefore no
// method of an interface may ever see its address.
type asking struct {
	r      *Request
	action string // folded, when it is none of the known ones
	known  actionSet
	time   bool // a time key was looked at
	noNow  bool // and there was no time to look at
}

func ask(r *Request) asking {
	a := asking{r: r, known: knownAction(r.Action)}
	if a.known == 0 {
		a.action = strings.ToLower(r.Action)
	}
	return a
}

// lookup is what the folded name holds for this request.
func (a *asking) lookup(name string) (Value, bool) {
	switch name {
	case keyCurrentTime, keyEpochTime, keyTokenIssueTime:
		a.time = true
	}
	if v, ok := a.r.key(name); ok {
		return v, true
	}
	switch name {
	case keyCurrentTime, keyEpochTime:
		return a.now(name)
	}
	if a.r.Vars == nil {
		return Value{}, false
	}
	return a.r.Vars.Value(name)
}

func (a *asking) now(name string) (Value, bool) {
	if a.r.Now.IsZero() {
		a.noNow = true
		return Value{}, false
	}
	if name == keyEpochTime {
		return One(strconv.FormatInt(a.r.Now.Unix(), 10)), true
	}
	return One(a.r.Now.UTC().Format(time.RFC3339)), true
}

// value is what stands in the place of v. When v has no value (none at all, a set, or text that AWS IoT does not
// substitute) its own text does, as AWS documents it for certificate attributes ("X.509 Certificate AWS IoT Core policy
// variables", limitations), and resolved is false.
func (a *asking) value(v *variable) (s string, resolved bool) {
	if got, ok := a.lookup(v.name); ok && got.Len() == 1 && substitutable(v.name, got.At(0)) {
		return got.At(0), true
	}
	if v.hasDefault {
		return v.def, true
	}
	return v.text, false
}

// substitutable guards certificate attributes: a certificate authority may have signed anything, so what looks like a
// wildcard of a policy or of MQTT is not put into a policy.
func substitutable(name, value string) bool {
	if !strings.HasPrefix(name, "iot:certificate.") {
		return true
	}
	return len(value) <= maxCertificateValue && !strings.ContainsAny(value, "*$+?#")
}

// ask matches s with the variables of p as they are for this request.
func (p *pattern) ask(a *asking, s string) (ok, resolved bool) {
	if len(p.vars) == 0 {
		return p.match(s, nil), true
	}
	var room [4]string
	vals, resolved := a.values(p.vars, room[:0])
	return p.match(s, vals), resolved
}

// values appends the values of vars to dst; resolved tells whether all have one.
func (a *asking) values(vars []variable, dst []string) (vals []string, resolved bool) {
	resolved = true
	for i := range vars {
		s, ok := a.value(&vars[i])
		resolved = resolved && ok
		dst = append(dst, s)
	}
	return dst, resolved
}
