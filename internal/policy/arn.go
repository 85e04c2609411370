package policy

import (
	"errors"
	"strings"
)

// arnColons is how many colons stand before the resource part of an ARN.
const arnColons = 5

// arnPattern matches ARNs. The five segments before the resource are matched one by one, so that no asterisk reaches over
// a colon there; in the resource part it may (topics hold colons and slashes).
type arnPattern struct {
	text string // as written
	// whole is set for "*" and for ARNs with fewer than six segments: tail is then matched against everything.
	whole bool
	// prefix is the head with its last colon when it holds no wildcard, the usual case; otherwise head has its segments.
	prefix string
	head   []pattern
	tail   pattern
}

var errVariableInHead = errors.New("a variable may stand behind the fifth colon of an ARN only")

// parseARN parses the pattern of an ARN.
func parseARN(text string, variables bool) (arnPattern, error) {
	p := arnPattern{text: text}
	parts := splitARN(text, variables)
	tail := parts[len(parts)-1]
	if p.whole = len(parts) <= arnColons; p.whole {
		tail = text
	}
	var err error
	if p.tail, err = parsePattern(tail, syntax{wildcards: true, variables: variables}); err != nil || p.whole {
		return p, err
	}
	head := text[:len(text)-len(tail)]
	if variables && strings.Contains(head, "${") {
		return p, errVariableInHead
	}
	if !strings.ContainsAny(head, "*?") {
		p.prefix = head
		return p, nil
	}
	for _, part := range parts[:arnColons] {
		seg, err := parsePattern(part, syntax{wildcards: true})
		if err != nil {
			return p, err
		}
		p.head = append(p.head, seg)
	}
	return p, nil
}

// splitARN cuts text into at most six parts at the colons that stand outside variables.
func splitARN(text string, variables bool) []string {
	var parts []string
	start := 0
	for i := 0; i < len(text) && len(parts) < arnColons; i++ {
		if variables && strings.HasPrefix(text[i:], "${") {
			if _, n, err := readVariable(text[i:]); err == nil {
				i += n - 1
			}
			continue
		}
		if text[i] == ':' {
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// cut gives the part of s that the tail has to match, if the head fits.
func (p *arnPattern) cut(s string) (rest string, ok bool) {
	if p.whole {
		return s, true
	}
	if p.head == nil {
		return strings.CutPrefix(s, p.prefix)
	}
	for i := range p.head {
		seg, rest, ok := strings.Cut(s, ":")
		if !ok || !p.head[i].match(seg, nil) {
			return "", false
		}
		s = rest
	}
	return s, true
}

// match reports whether the ARN s fits. resolved is false when a variable of the pattern has no value: its own text
// stands in its place then (see asking.values).
func (p *arnPattern) match(a *asking, s string) (ok, resolved bool) {
	rest, ok := p.cut(s)
	if !ok {
		return false, true
	}
	return p.tail.ask(a, rest)
}
