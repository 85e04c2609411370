package iam

import (
	"strings"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Change says what changed: one access key, a user with all its keys and sessions, or a role with all its sessions. The
// other fields are "".
type Change struct {
	AccessKeyID string
	User, Role  string // names are not distinguished by case
}

// Concerns reports whether an identity may be another one, or over, after the change.
func (c Change) Concerns(id *Identity) bool {
	switch {
	case c.AccessKeyID != "":
		return c.AccessKeyID == id.AccessKeyID
	case c.Role != "":
		return strings.EqualFold(c.Role, id.Role)
	}
	return id.Role == "" && strings.EqualFold(c.User, id.Name)
}

// news tells of changes as they are.
type news = documents.News[Change, Change]

func openNews(s store.Store, c *cache) *news {
	n := documents.OpenNews(func(about Change, tell func(Change)) { tell(about) })
	hear := func(about Change) Change {
		c.forget(about)
		return about
	}
	n.Watch(s, keysBucket, func(key string) Change { return hear(Change{AccessKeyID: key}) })
	n.Watch(s, usersBucket, func(key string) Change { return hear(Change{User: key}) })
	n.Watch(s, rolesBucket, func(key string) Change { return hear(Change{Role: key}) })
	return n
}

// OnChange calls fn after each durable change of an access key, a user, a role or their policies. By then the cache has
// forgotten, so Again in fn sees the change. It comes within milliseconds, one call at a time, on a goroutine of the
// directory: fn may ask the directory but must not wait for anything slow. The end of a session is no change: whoever
// keeps one looks at Identity.Expires. stop ends it; a call that runs is not waited for.
func (d *Directory) OnChange(fn func(Change)) (stop func()) { return d.news.OnChange(fn) }
