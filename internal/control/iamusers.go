package control

import (
	"regexp"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

// rootPath is the path of every user: paths are not there.
const rootPath = "/"

type userMember struct {
	Path       string
	UserName   string
	UserID     string `xml:"UserId"`
	Arn        string
	CreateDate time.Time
}

type userResult struct{ User userMember }

func userOf(u *iam.User) userMember {
	return userMember{rootPath, u.Name, u.ID, u.ARN, u.Created.UTC()}
}

func createUser(c *queryCall) (any, error) {
	if path, given := c.form.optional("Path"); given && path != rootPath {
		return nil, fault.New(fault.Unsupported, "the Path %q is not implemented by Thingwire", fault.Shortened(path)).
			WithRemedy("leave it out: all users have the path /")
	}
	u, err := c.keys().CreateUser(c.Context(), c.user)
	if err != nil {
		return nil, err
	}
	return userResult{userOf(u)}, nil
}

func getUser(c *queryCall) (any, error) {
	u, err := c.keys().GetUser(c.Context(), c.user)
	if err != nil {
		return nil, err
	}
	return userResult{userOf(u)}, nil
}

func deleteUser(c *queryCall) (any, error) { return nil, c.keys().DeleteUser(c.Context(), c.user) }

// pathPrefix is the pattern of IAM API reference, ListUsers.
var pathPrefix = regexp.MustCompile(`^/[\x21-\x7f]{0,511}$`)

func listUsers(c *queryCall) (any, error) {
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	prefix, given := c.form.optional("PathPrefix")
	if given && !pathPrefix.MatchString(prefix) {
		return nil, invalid("pathPrefix %q is no path", fault.Shortened(prefix))
	}
	out := struct {
		Users xmlList[userMember]
		pageResult
	}{}
	if !strings.HasPrefix(rootPath, prefix) {
		return out, nil
	}
	users, next, err := c.keys().ListUsers(c.Context(), page)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		out.Users.Members = append(out.Users.Members, userOf(u))
	}
	out.pageResult = c.pageResult(next)
	return out, nil
}
