package policy

import "strings"

// quantifier is how an operator treats a key with many values.
type quantifier uint8

const (
	single quantifier = iota
	forAllValues
	forAnyValue
)

// condition is one key under one operator, with all values that the policy names for it.
type condition struct {
	op       *operator
	set      quantifier
	ifExists bool
	opText   string // the operator as written, with prefix and suffix
	keyText  string
	key      string // folded
	operands []operand
}

// holds evaluates the condition for a statement that denies or allows ("Condition operators"; "Creating a condition that
// tests multiple key values"). An absent key makes a condition false, a negated one true.
func (c *condition) holds(a *asking, deny bool) bool {
	v, there := a.lookup(c.key)
	if c.op.family == familyNull {
		return c.isNull(!there || v.Len() == 0)
	}
	if !there && c.ifExists {
		return true
	}
	switch c.set {
	case forAllValues:
		return !there || v.empty() || c.all(a, v, deny)
	case forAnyValue:
		return there && !v.empty() && c.any(a, v, deny)
	case single:
	}
	if !there {
		return c.op.negate
	}
	if c.op.negate {
		return c.all(a, v, deny)
	}
	return c.any(a, v, deny)
}

// isNull is the Null operator: true asks for a key that is absent, false for one that is there.
func (c *condition) isNull(absent bool) bool {
	for i := range c.operands {
		if c.operands[i].truth == absent {
			return true
		}
	}
	return false
}

func (c *condition) all(a *asking, v Value, deny bool) bool {
	for i := range v.Len() {
		if !c.test(a, v.At(i), deny) {
			return false
		}
	}
	return true
}

func (c *condition) any(a *asking, v Value, deny bool) bool {
	for i := range v.Len() {
		if c.test(a, v.At(i), deny) {
			return true
		}
	}
	return false
}

// test is one value of the request against all of the policy: any of them has to fit, none if the operator is negated.
func (c *condition) test(a *asking, value string, deny bool) bool {
	for i := range c.operands {
		ok, resolved := c.op.compare(a, &c.operands[i], value)
		if !resolved && !unresolvedCounts(deny) {
			if c.op.negate {
				return false
			}
			continue
		}
		if ok {
			return !c.op.negate
		}
	}
	return c.op.negate
}

// compare reports whether value fits the operand, negation left aside. A value that is not of the operator's kind fits
// nothing.
func (op *operator) compare(a *asking, o *operand, value string) (ok, resolved bool) {
	switch op.family {
	case familyExact, familyLike:
		return o.pat.ask(a, value)
	case familyFold:
		return o.pat.askFold(a, value)
	case familyARN:
		return o.arn.matchARN(a, value)
	case familyNumber:
		n, ok := parseNumber(value)
		return ok && op.rel.holds(n.Cmp(o.number)), true
	case familyDate:
		t, ok := parseDate(value)
		return ok && op.rel.holds(t.Compare(o.date)), true
	case familyBinary:
		return value == o.text, true
	case familyIP:
		addr, ok := parseAddr(value)
		return ok && o.prefix.Contains(addr), true
	case familyNull:
	}
	return false, true
}

// askFold compares s with p, upper and lower case alike. p has no wildcards.
func (p *pattern) askFold(a *asking, s string) (ok, resolved bool) {
	var room [4]string
	vals, resolved := a.values(p.vars, room[:0])
	seg := p.segments[0]
	if len(seg) == 1 {
		return strings.EqualFold(seg[0].literal(vals), s), resolved
	}
	var b strings.Builder
	for i := range seg {
		b.WriteString(seg[i].literal(vals))
	}
	return strings.EqualFold(b.String(), s), resolved
}

// matchARN is match for condition values: what is no ARN fits no pattern, not even an asterisk.
func (p *arnPattern) matchARN(a *asking, s string) (ok, resolved bool) {
	if !strings.HasPrefix(s, "arn:") || strings.Count(s, ":") < arnColons {
		return false, true
	}
	return p.match(a, s)
}
