package control

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/iam"
)

// How many entries a page of IAM has: IAM API reference, MaxItems.
const (
	usualItems = 100
	mostItems  = 1000
)

type pageResult struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// page is the page that the request asks for.
func (c *queryCall) page() (iam.Page, error) {
	limit, err := c.form.number("MaxItems", 1, mostItems, usualItems)
	if err != nil {
		return iam.Page{}, err
	}
	after, err := c.readToken("Marker")
	return iam.Page{After: after, Limit: limit}, err
}

// pageResult says whether a page follows. A marker names its operation, so that another one refuses it.
func (c *queryCall) pageResult(next string) pageResult {
	if next == "" {
		return pageResult{}
	}
	return pageResult{true, c.token(next)}
}

func (c *queryCall) token(next string) string {
	return base64.StdEncoding.EncodeToString([]byte(c.op.name + "\x00" + next))
}

// cutTokens is cut for CloudFormation, which pages by NextToken and says itself how long a page is.
func cutTokens[T any](c *queryCall, all []T, name func(T) string) (page []T, token string, err error) {
	after, err := c.readToken("NextToken")
	if err != nil {
		return nil, "", err
	}
	page, next := cut(all, iam.Page{After: after, Limit: stacksPage}, name)
	if next != "" {
		token = c.token(next)
	}
	return page, token, nil
}

// readToken reads the token with which a page ended, "" if there is none.
func (c *queryCall) readToken(member string) (string, error) {
	marker, given := c.form.optional(member)
	if !given {
		return "", nil
	}
	data, err := base64.StdEncoding.DecodeString(marker)
	op, next, ok := strings.Cut(string(data), "\x00")
	if err != nil || !ok || op != c.op.name || next == "" {
		return "", invalid("%s was not given by %s", lowerFirst(member), c.op.name).WithRemedy("begin again without one")
	}
	return next, nil
}

// cut gives the page of a list that is short and known as a whole. When the entry that a marker names is gone, the list
// begins again: an entry twice is better than one that is never seen.
func cut[T any](all []T, p iam.Page, name func(T) string) (page []T, next string) {
	if p.After != "" {
		i := slices.IndexFunc(all, func(v T) bool { return name(v) == p.After })
		all = all[i+1:]
	}
	if len(all) <= p.Limit {
		return all, ""
	}
	return all[:p.Limit], name(all[p.Limit-1])
}
