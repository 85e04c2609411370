package policy

// statement is one compiled statement.
type statement struct {
	doc   *Document
	index int
	sid   string
	deny  bool
	// principals are those whom a statement of a trust policy is about.
	principals principals
	actions    actions
	resources  resources
	// conditions must all hold.
	conditions []condition
}

// resources is the Resource or NotResource of a statement.
type resources struct {
	patterns []arnPattern
	not      bool
}

// matches reports whether the statement applies to the request.
func (st *statement) matches(a *asking) bool {
	return st.actions.match(a) && st.principals.match(a.r.By) && st.resources.match(a, st.deny) && st.conditionsHold(a)
}

// match reports whether the resource of the request is one of the statement's.
func (rs *resources) match(a *asking, deny bool) bool {
	for i := range rs.patterns {
		ok, resolved := rs.patterns[i].match(a, a.r.Resource)
		if !resolved && !unresolvedCounts(deny) {
			if rs.not {
				return false
			}
			continue
		}
		if ok {
			return !rs.not
		}
	}
	return rs.not
}

// unresolvedCounts tells whether a comparison with a variable that has no value may still make a statement match. AWS
// leaves it open ("this might cause the entire statement to be invalid"); here such a variable never helps the caller: an
// Allow does not match, a Deny goes on with the text ${…} in its place, so that "deny everything but ${own}" still denies.
func unresolvedCounts(deny bool) bool { return deny }

func (st *statement) conditionsHold(a *asking) bool {
	for i := range st.conditions {
		if !st.conditions[i].holds(a, st.deny) {
			return false
		}
	}
	return true
}
