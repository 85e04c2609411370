package policy

import "fmt"

// Source is one policy of a principal: its name and version for the people who read decisions, and its document.
type Source struct {
	Name, Version string
	Document      *Document
}

// Set is all policies of one principal. It is immutable and safe for concurrent use; a nil *Set denies everything. It
// refers to the compiled statements of its documents, so that the sets of many principals with the same policies cost a
// few words per statement each.
type Set struct {
	everything bool
	sources    []Source
	deny       []held
	allow      []held
	bound      *Set // what is allowed has to be allowed here, too; nil for no bound
}

// held is a statement and the source that brings it in.
type held struct {
	st   *statement
	from int
}

// Compile puts policies together. Sources without a document are skipped.
func Compile(sources ...Source) *Set {
	s := &Set{}
	for _, src := range sources {
		if src.Document == nil {
			continue
		}
		from := len(s.sources)
		s.sources = append(s.sources, src)
		for i := range src.Document.statements {
			st := &src.Document.statements[i]
			if st.deny {
				s.deny = append(s.deny, held{st: st, from: from})
			} else {
				s.allow = append(s.allow, held{st: st, from: from})
			}
		}
	}
	return s
}

// AllowAll is the Set of callers that may do everything: anonymous and root.
func AllowAll() *Set { return &Set{everything: true} }

// Within is the Set that allows what both allow: a role's policies within the policy of one session of it. Its refusals
// and reasons are those of whichever refuses.
func (s *Set) Within(bound *Set) *Set {
	if s == nil || bound == nil {
		return s
	}
	both := *s
	both.bound = bound.Within(s.bound)
	return &both
}

// Decision is the answer to a Request and the statement it comes from.
type Decision struct {
	Allowed  bool
	Explicit bool // a Deny statement matched
	// TimeDependent is set when a time key was looked at: the answer may be another one later and must not be cached.
	TimeDependent bool
	// NeedsTime is set when it was refused only because Request.Now was zero where a statement looked at the time.
	NeedsTime bool
	// Policy, Version, Statement and Sid name the statement that decided; Statement is -1 when none did.
	Policy, Version, Sid string
	Statement            int
}

// Decide answers r. The default is no, an Allow that matches makes it yes, a Deny that matches makes it no whatever else
// there is. It allocates nothing for hot actions unless a condition compares numbers, dates or addresses.
func (s *Set) Decide(r *Request) Decision {
	d := s.decide(r)
	if s == nil || s.bound == nil || !d.Allowed {
		return d
	}
	b := s.bound.Decide(r)
	if b.Allowed {
		d.TimeDependent = d.TimeDependent || b.TimeDependent
		return d
	}
	b.TimeDependent = d.TimeDependent || b.TimeDependent
	return b
}

// decide leaves the bound aside.
func (s *Set) decide(r *Request) Decision {
	if s == nil {
		return Decision{Statement: -1}
	}
	if s.everything {
		return Decision{Allowed: true, Statement: -1}
	}
	a := ask(r)
	if h := first(s.deny, &a); h != nil {
		d := s.decision(h, &a)
		d.Explicit = true
		return d
	}
	h := first(s.allow, &a)
	// Fail closed: a Deny that never saw the time it asks for must not count as one that did not match.
	if h == nil || a.noNow {
		return Decision{Statement: -1, TimeDependent: a.time, NeedsTime: a.noNow}
	}
	d := s.decision(h, &a)
	d.Allowed = true
	return d
}

// first is the first statement that matches, nil if none does.
func first(list []held, a *asking) *held {
	for i := range list {
		if list[i].st.matches(a) {
			return &list[i]
		}
	}
	return nil
}

func (s *Set) decision(h *held, a *asking) Decision {
	src := &s.sources[h.from]
	return Decision{
		TimeDependent: a.time,
		Policy:        src.Name, Version: src.Version,
		Statement: h.st.index, Sid: h.st.sid,
	}
}

// Reason is one line about the decision. Set.Explain says more, and why nothing matched.
func (d Decision) Reason() string {
	switch {
	case d.NeedsTime:
		return "a policy asks for the time, and the request brought none"
	case d.Statement < 0 && d.Allowed:
		return "this caller may do everything"
	case d.Allowed:
		return "allowed by " + d.source()
	case d.Explicit:
		return "denied by " + d.source()
	}
	return "no policy statement allows it"
}

// source is the statement in words.
func (d Decision) source() string {
	s := fmt.Sprintf("policy %q", d.Policy)
	if d.Version != "" {
		s += " version " + d.Version
	}
	s += fmt.Sprintf(", statement %d", d.Statement)
	if d.Sid != "" {
		s += fmt.Sprintf(" (Sid %q)", d.Sid)
	}
	return s
}
