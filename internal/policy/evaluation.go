package policy

import "slices"

// Evaluation is all that the policies of a set say about a request, for TestAuthorization: a Decision stops at the first
// statement that settles the matter, an Evaluation does not.
type Evaluation struct {
	Decision Decision
	// Allowing and Denying are the sources with an Allow or Deny statement that matches.
	Allowing, Denying []Source
	// Missing are the variables and condition keys, as written, of statements about the action and without a value.
	Missing []string
}

// Evaluate decides r and collects what every policy says about it.
func (s *Set) Evaluate(r *Request) Evaluation {
	e := Evaluation{Decision: s.Decide(r)}
	if s == nil {
		return e
	}
	e.Allowing = s.matching(s.allow, r)
	e.Denying = s.matching(s.deny, r)
	a := ask(r)
	for _, h := range slices.Concat(s.allow, s.deny) {
		if h.st.actions.match(&a) {
			e.Missing = h.st.missing(&a, e.Missing)
		}
	}
	return e
}

// matching are the sources of the statements in list that match, each once.
func (s *Set) matching(list []held, r *Request) []Source {
	var sources []Source
	last := -1 // statements of one source follow each other
	for i := range list {
		a := ask(r)
		if list[i].from != last && list[i].st.matches(&a) {
			last = list[i].from
			sources = append(sources, s.sources[last])
		}
	}
	return sources
}

// missing appends what the statement asks for and does not get.
func (st *statement) missing(a *asking, names []string) []string {
	add := func(folded, text string) {
		if _, ok := a.lookup(folded); !ok && !slices.Contains(names, text) {
			names = append(names, text)
		}
	}
	for i := range st.resources.patterns {
		for _, v := range st.resources.patterns[i].tail.vars {
			add(v.name, variableName(v.text))
		}
	}
	for i := range st.conditions {
		c := &st.conditions[i]
		add(c.key, c.keyText)
		for j := range c.operands {
			for _, v := range slices.Concat(c.operands[j].pat.vars, c.operands[j].arn.tail.vars) {
				add(v.name, variableName(v.text))
			}
		}
	}
	return names
}

// variableName is the name in ${name} or ${name, 'default'}.
func variableName(text string) string { return text[2:nameEnd(text)] }
