package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Explain says in words for people why r is answered as it is: the statement that decided, or for a refusal that no
// statement asked for, the nearest miss. It is slow and allocates; ask it when somebody wants to read it.
func (s *Set) Explain(r *Request) string {
	if s == nil {
		return "no policy is attached to this caller, so nothing is allowed"
	}
	d := s.decide(r)
	if d.Allowed && s.bound != nil && !s.bound.Decide(r).Allowed {
		return "the policy of the session does not go as far as its role: " + s.bound.Explain(r)
	}
	switch {
	case !s.everything && len(s.sources) == 0:
		return "no policy is attached to this caller, so nothing is allowed"
	case d.NeedsTime, s.everything:
		return d.Reason()
	case d.Explicit:
		return d.Reason() + ": " + s.subject(s.deny, r)
	case d.Allowed:
		return d.Reason() + ": " + s.subject(s.allow, r)
	}
	text := fmt.Sprintf("no policy allows %s on %s", plain(r.Action), plain(resourcePart(r.Resource)))
	if m := s.nearestMiss(r); m.rank > 0 {
		return fmt.Sprintf("%s; nearest is %s: %s", text, s.decision(m.by, &asking{}).source(), m.text)
	}
	return fmt.Sprintf("%s; no Allow statement is about this action%s", text, needs[r.Action])
}

// needs are words about actions that people forget.
var needs = map[string]string{
	"iot:Receive":       " (iot:Subscribe lets a client subscribe, iot:Receive on topic/… lets messages reach it)",
	"iot:RetainPublish": " (a message with RETAIN needs iot:RetainPublish besides iot:Publish)",
	"iot:Connect":       " (resource client/ and the client id)",
}

// subject is what the first matching statement of list is about.
func (s *Set) subject(list []held, r *Request) string {
	a := ask(r)
	h := first(list, &a)
	if h == nil {
		return ""
	}
	if h.st.principals.there {
		return h.st.actions.String() + " by " + h.st.principals.String()
	}
	return h.st.actions.String() + " on " + h.st.resources.about(&a)
}

// about names the pattern that matches, or all that are left out.
func (rs *resources) about(a *asking) string {
	var left []string
	for i := range rs.patterns {
		if ok, _ := rs.patterns[i].match(a, a.r.Resource); ok && !rs.not {
			return rs.patterns[i].text
		}
		left = append(left, rs.patterns[i].text)
	}
	return "everything but " + strings.Join(left, ", ")
}

// miss is a statement that nearly allowed a request. The higher the rank, the nearer.
type miss struct {
	rank int
	text string
	by   *held
}

// The ranks of misses. A different resource ranks by how many characters agree, below all others.
const (
	rankResource  = 1 // to rankLeftOut-1
	rankLeftOut   = 400
	rankAction    = 500
	rankValue     = 600
	rankKind      = 610
	rankCase      = 620
	rankMQTT      = 630
	rankHead      = 640
	rankVariable  = 650
	rankVersion   = 660
	rankCondition = 700
	rankPrincipal = 690
)

func (s *Set) nearestMiss(r *Request) miss {
	var best miss
	for i := range s.allow {
		a := ask(r)
		if m := s.allow[i].st.miss(&a); m.rank > best.rank {
			best = m
			best.by = &s.allow[i]
		}
	}
	return best
}

// miss tells how near an Allow statement came.
func (st *statement) miss(a *asking) miss {
	fits := st.resources.match(a, false)
	if !st.actions.match(a) {
		if fits && st.conditionsHold(a) {
			return miss{rank: rankAction, text: fmt.Sprintf(
				"%s is allowed on it, %s is not", &st.actions, plain(a.r.Action))}
		}
		return miss{}
	}
	if !st.principals.match(a.r.By) {
		return st.missPrincipal(a)
	}
	if fits {
		return st.missCondition(a)
	}
	if st.resources.not {
		return miss{rank: rankLeftOut, text: "it allows " + st.resources.about(a)}
	}
	var best miss
	for i := range st.resources.patterns {
		if m := st.missResource(a, &st.resources.patterns[i]); m.rank > best.rank {
			best = m
		}
	}
	return best
}

// missCondition is about the first condition that does not hold.
func (st *statement) missCondition(a *asking) miss {
	for i := range st.conditions {
		c := &st.conditions[i]
		if c.holds(a, false) {
			continue
		}
		return miss{rank: rankCondition, text: fmt.Sprintf("its condition %s does not hold: %s", c.opText, c.why(a))}
	}
	return miss{}
}

// why says what the condition wants and what there is.
func (c *condition) why(a *asking) string {
	for i := range c.operands {
		vars := c.operands[i].pat.vars
		if c.op.family == familyARN {
			vars = c.operands[i].arn.tail.vars
		}
		if v := a.unresolved(vars); v != nil {
			return a.noValue(v)
		}
	}
	if c.key == keyExternalID { // what the policy has is its owner's to tell
		if _, ok := a.lookup(c.key); !ok {
			return c.keyText + " is absent"
		}
		return c.keyText + " is another one"
	}
	wants := make([]string, 0, len(c.operands))
	for i := range c.operands {
		wants = append(wants, c.operands[i].text)
	}
	is := "absent"
	if v, ok := a.lookup(c.key); ok {
		is = v.quoted()
	}
	return fmt.Sprintf("%s is %s, the policy has %s", c.keyText, is, Many(wants).quoted())
}

func (v Value) quoted() string {
	list := make([]string, 0, v.Len())
	for i := range v.Len() {
		list = append(list, fmt.Sprintf("%q", v.At(i)))
	}
	if len(list) == 0 {
		return "an empty set"
	}
	return strings.Join(list, ", ")
}

// plain is s as it is, quoted if a terminal or a log might take it for something else: names come from clients. It is
// whole, unlike fault.Plain: the end of a topic is what a reader compares.
func plain(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
		return strconv.Quote(s)
	}
	return s
}

// resourcePart is what stands behind the fifth colon of an ARN, the whole text if there are fewer.
func resourcePart(arn string) string {
	if parts := strings.SplitN(arn, ":", arnColons+1); len(parts) == arnColons+1 {
		return parts[arnColons]
	}
	return arn
}
