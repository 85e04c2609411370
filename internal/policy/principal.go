package policy

import (
	"regexp"
	"slices"
	"strings"
)

// Principal is who asks, as the Principal element of a trust policy names it.
type Principal struct {
	// Account is twelve digits: the caller's account, which a policy may name instead of the caller. Empty asks whether
	// the caller is named by itself.
	Account string
	// ARNs are the caller's own names: of a user its ARN; of a role's session its own ARN and that of the role.
	ARNs []string
}

// principals is the Principal of a statement. The zero value is that of identity policies, which have none: they belong
// to one principal.
type principals struct {
	there    bool
	anybody  bool
	accounts []string
	arns     []string
	texts    []string // as written
}

// match reports whether the statement is about the caller of the request. One without a caller is nobody's.
func (ps *principals) match(by *Principal) bool {
	if !ps.there {
		return true
	}
	if by == nil {
		return false
	}
	if ps.anybody || by.Account != "" && slices.Contains(ps.accounts, by.Account) {
		return true
	}
	return slices.ContainsFunc(by.ARNs, func(arn string) bool { return slices.Contains(ps.arns, arn) })
}

// String is the element as a person would write it.
func (ps *principals) String() string { return strings.Join(ps.texts, ", ") }

// principalKinds are the kinds of principals that a trust policy may name. No caller of this server is one of the last
// two: they are kept, and match nobody.
var principalKinds = []string{"AWS", "Service", "Federated"}

// principal reads the Principal element: "*", or an object of kinds and names ("AWS JSON policy elements: Principal").
func (p *statementParser) principal(n node) error {
	at := below(p.at, "Principal")
	p.st.principals.there = true
	if n.kind == nodeString && n.text == "*" {
		p.st.principals.anybody = true
		p.st.principals.texts = []string{"*"}
		return nil
	}
	if n.kind != nodeObject || len(n.names) == 0 {
		return refuse(at, `must be "*" or an object such as {"AWS": "arn:aws:iam::123456789012:root"}, is %v`, n.kind)
	}
	for i, kind := range n.names {
		if !slices.Contains(principalKinds, kind) {
			return unknownElement(at, kind, principalKinds...)
		}
		read := p.st.principals.add
		if kind == "AWS" {
			read = p.st.principals.addAWS
		}
		if err := p.each("Principal."+kind, n.items[i], read); err != nil {
			return err
		}
	}
	return nil
}

func (ps *principals) add(text string) error {
	if text == "" || strings.ContainsAny(text, "*? ") {
		return errPrincipal
	}
	ps.texts = append(ps.texts, text)
	return nil
}

var (
	principalAccount = regexp.MustCompile(`^(?:arn:aws[a-z-]*:iam::)?([0-9]{12})(:root)?$`)
	principalARN     = regexp.MustCompile(`^arn:aws[a-z-]*:(?:iam::[0-9]{12}:(?:user|role)/[^*?]+|sts::[0-9]{12}:assumed-role/[^*?/]+/[^*?/]+)$`)
)

// addAWS reads an account, its root, a user, a role or a role's session. Wildcards stand for a whole name or not at all.
func (ps *principals) addAWS(text string) error {
	switch account := principalAccount.FindStringSubmatch(text); {
	case text == "*":
		ps.anybody = true
	case account != nil && strings.HasPrefix(text, "arn:") == (account[2] != ""):
		ps.accounts = append(ps.accounts, account[1])
	case principalARN.MatchString(text):
		ps.arns = append(ps.arns, text)
	default:
		return errPrincipal
	}
	ps.texts = append(ps.texts, text)
	return nil
}

// missPrincipal is about a caller whom the statement does not name.
func (st *statement) missPrincipal(a *asking) miss {
	asks := "nobody"
	if a.r.By != nil {
		asks = strings.Join(a.r.By.ARNs, ", ")
		if asks == "" {
			asks = a.r.By.Account
		}
	}
	return miss{rank: rankPrincipal, text: "it is for " + st.principals.String() + ", not for " + plain(asks)}
}
