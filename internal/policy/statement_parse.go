package policy

import (
	"errors"
	"strings"
)

// statementParser reads one statement; at is its place for error messages.
type statementParser struct {
	at        string
	kind      Kind
	variables bool
	seen      map[string]bool
	st        statement
}

var statementElements = []string{
	"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}

func (p *statementParser) parse(n node) error {
	if n.kind != nodeObject {
		return refuse(p.at, "must be an object, is %v", n.kind)
	}
	p.seen = make(map[string]bool, len(n.names))
	for i, name := range n.names {
		p.seen[name] = true
		if err := p.element(name, n.items[i]); err != nil {
			return err
		}
	}
	return p.complete()
}

func (p *statementParser) element(name string, n node) error {
	switch name {
	case "Sid":
		return p.sid(n)
	case "Effect":
		return p.effect(n)
	case "Action", "NotAction":
		p.st.actions.not = name == "NotAction"
		return p.each(name, n, p.action)
	case "Resource", "NotResource":
		p.st.resources.not = name == "NotResource"
		return p.each(name, n, p.resource)
	case "Condition":
		return p.conditions(n)
	case "Principal", "NotPrincipal":
		if p.kind != Trust {
			return refuse(p.at, "%s has no place in a policy that is attached to a principal", name)
		}
		if name == "NotPrincipal" {
			return refuse(p.at, "NotPrincipal is not there").WithRemedy("deny with a Condition on aws:PrincipalArn instead")
		}
		return p.principal(n)
	}
	return unknownElement(p.at, name, statementElements...)
}

// complete checks what a statement must have, and only once.
func (p *statementParser) complete() error {
	if !p.seen["Effect"] {
		return refuse(p.at, "has no Effect").WithRemedy(`write "Effect": "Allow" or "Effect": "Deny"`)
	}
	needed := []string{"Action", "Resource"}
	if p.kind == Trust {
		if err := p.completeTrust(); err != nil {
			return err
		}
		needed = needed[:1]
	}
	for _, name := range needed {
		not := "Not" + name
		if p.seen[name] && p.seen[not] {
			return refuse(p.at, "has both %s and %s", name, not)
		}
		if !p.seen[name] && !p.seen[not] {
			return refuse(p.at, "has neither %s nor %s", name, not)
		}
	}
	p.st.actions.index()
	return nil
}

// completeTrust checks what distinguishes a statement of a trust policy: the role is its resource.
func (p *statementParser) completeTrust() error {
	if !p.seen["Principal"] {
		return refuse(p.at, "has no Principal").WithRemedy("say who may assume the role")
	}
	if p.seen["Resource"] || p.seen["NotResource"] {
		return refuse(p.at, "Has prohibited field Resource").WithRemedy("leave it out: the role itself is the resource")
	}
	p.st.resources.not = true // nothing is left out
	return nil
}

func (p *statementParser) sid(n node) error {
	at := below(p.at, "Sid")
	if n.kind != nodeString {
		return refuse(at, "must be a string, is %v", n.kind)
	}
	// IAM: "Statement IDs (SID) must be alpha-numeric"; AWS IoT has no such rule.
	if p.kind != IoT && strings.ContainsFunc(n.text, func(r rune) bool { return !isAlphanumeric(r) }) {
		return refuse(at, "%q: letters A-Z, a-z and digits only", n.text)
	}
	p.st.sid = n.text
	return nil
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func (p *statementParser) effect(n node) error {
	if n.kind != nodeString || n.text != "Allow" && n.text != "Deny" {
		return refuse(below(p.at, "Effect"), `must be "Allow" or "Deny"`)
	}
	p.st.deny = n.text == "Deny"
	return nil
}

// each calls read with every string of a list; a single string is a list of one.
func (p *statementParser) each(name string, n node, read func(text string) error) error {
	at := below(p.at, name)
	items := []node{n}
	if n.kind == nodeArray {
		items = n.items
	}
	for _, item := range items {
		if item.kind != nodeString {
			return refuse(at, "must be a string or an array of strings, has %v", item.kind)
		}
		if err := read(item.text); err != nil {
			return refuse(at, "%q: %s", item.text, err)
		}
	}
	return nil
}

var (
	errActionForm  = errors.New("an action is written service:Name, * for all")
	errTrustAction = errors.New("AssumeRole policy may only specify STS AssumeRole actions")
	errPrincipal   = errors.New("is not a principal: write *, an account, or the ARN of an account's root, a user, a role or a role's session, without wildcards")
)

func (p *statementParser) action(text string) error {
	service, name, _ := strings.Cut(text, ":")
	if text != "*" && (service == "" || name == "") {
		return errActionForm
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("*?:-_.", r) }) {
		return errActionForm
	}
	if p.kind == Trust && !strings.EqualFold(service, "sts") {
		return errTrustAction
	}
	pat, err := parsePattern(strings.ToLower(text), syntax{wildcards: true})
	if err != nil {
		return err
	}
	p.st.actions.patterns = append(p.st.actions.patterns, pat)
	p.st.actions.texts = append(p.st.actions.texts, text)
	return nil
}

var errResourceForm = errors.New("a resource is * or an ARN such as arn:aws:iot:us-east-1:000000000000:topic/name")

func (p *statementParser) resource(text string) error {
	if !strings.HasPrefix(text, "*") && !strings.HasPrefix(text, "arn:") {
		return errResourceForm
	}
	pat, err := parseARN(text, p.variables)
	if err != nil {
		return err
	}
	if pat.whole && !strings.Contains(text, "*") {
		return errResourceForm
	}
	p.st.resources.patterns = append(p.st.resources.patterns, pat)
	return nil
}
