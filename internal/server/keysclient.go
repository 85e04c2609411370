package server

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

// AccessKey is an access key as IAM shows it.
type AccessKey struct {
	ID      string    `json:"accessKeyId" xml:"AccessKeyId"`
	User    string    `json:"userName" xml:"UserName"`
	Status  string    `json:"status" xml:"Status"` // Active, Inactive
	Created time.Time `json:"createDate" xml:"CreateDate"`
}

// NewAccessKey is an access key with its secret, which nobody can ask for a second time.
type NewAccessKey struct {
	AccessKey
	Secret   string `json:"secretAccessKey" xml:"SecretAccessKey"`
	NewUser  bool   `json:"newUser" xml:"-"`  // the user was made for it
	Policies int    `json:"policies" xml:"-"` // how many inline policies the user has
}

// FirstUser is the user of the access key of the first start.
const FirstUser = firstUser

// EverythingPolicy is a policy of IAM that allows everything.
const EverythingPolicy = iam.Everything

// keyPolicy is the name of the inline policy that CreateKey puts.
const keyPolicy = "thingwire-key"

// CreateKey makes an access key for a user, who is made if there is none. A document that is not empty becomes an inline
// policy of the user, in place of one that CreateKey put before. What is half done is undone, but for such a
// replacement.
func (c *Client) CreateKey(ctx context.Context, user, document string) (_ *NewAccessKey, err error) {
	made := &NewAccessKey{}
	name := url.Values{"UserName": {user}}
	err = c.iam(ctx, "GetUser", name, nil)
	if fault.Is(err, fault.NotFound) {
		made.NewUser = true
		err = c.iam(ctx, "CreateUser", name, nil)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && made.NewUser {
			err = errors.Join(err, c.removeUser(ctx, name))
		}
	}()
	if document != "" {
		policy := url.Values{"UserName": {user}, "PolicyName": {keyPolicy}, "PolicyDocument": {document}}
		if err := c.iam(ctx, "PutUserPolicy", policy, nil); err != nil {
			return nil, err
		}
	}
	if made.Policies, err = c.countPolicies(ctx, name, document != ""); err != nil {
		return nil, err
	}
	var out struct{ AccessKey *NewAccessKey }
	out.AccessKey = made
	return made, c.iam(ctx, "CreateAccessKey", name, &out)
}

// countPolicies counts a user's policies. Who may not list them knows of the one that was put.
func (c *Client) countPolicies(ctx context.Context, name url.Values, put bool) (int, error) {
	var out struct {
		PolicyNames []string `xml:"PolicyNames>member"`
	}
	err := c.iam(ctx, "ListUserPolicies", name, &out)
	if fault.Is(err, fault.Denied) && put {
		return 1, nil
	}
	return len(out.PolicyNames), err
}

func (c *Client) removeUser(ctx context.Context, name url.Values) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	policy := url.Values{"UserName": name["UserName"], "PolicyName": {keyPolicy}}
	if err := c.iam(ctx, "DeleteUserPolicy", policy, nil); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return c.iam(ctx, "DeleteUser", name, nil)
}

// Keys lists the access keys of a user, of all users when it is empty.
func (c *Client) Keys(ctx context.Context, user string) ([]AccessKey, error) {
	users := []string{user}
	if user == "" {
		var err error
		if users, err = c.users(ctx); err != nil {
			return nil, err
		}
	}
	var keys []AccessKey
	for _, u := range users {
		of, err := c.keysOf(ctx, u)
		if fault.Is(err, fault.NotFound) && user == "" {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, of...)
	}
	return keys, nil
}

func (c *Client) users(ctx context.Context) (names []string, err error) {
	members := url.Values{}
	for {
		var out struct {
			Users []struct{ UserName string } `xml:"Users>member"`
			nextPage
		}
		if err := c.iam(ctx, "ListUsers", members, &out); err != nil {
			return nil, err
		}
		for _, u := range out.Users {
			names = append(names, u.UserName)
		}
		if !out.turn(members) {
			return names, nil
		}
	}
}

func (c *Client) keysOf(ctx context.Context, user string) (keys []AccessKey, err error) {
	members := url.Values{"UserName": {user}}
	for {
		var out struct {
			Keys []AccessKey `xml:"AccessKeyMetadata>member"`
			nextPage
		}
		if err := c.iam(ctx, "ListAccessKeys", members, &out); err != nil {
			return nil, err
		}
		if keys = append(keys, out.Keys...); !out.turn(members) {
			return keys, nil
		}
	}
}

type nextPage struct {
	IsTruncated bool
	Marker      string
}

// turn asks for the next page, false if there is none.
func (p nextPage) turn(members url.Values) bool {
	members.Set("Marker", p.Marker)
	return p.IsTruncated && p.Marker != ""
}

// SetKeyStatus enables or disables an access key. An empty user is whoever has the key.
func (c *Client) SetKeyStatus(ctx context.Context, user, id string, active bool) error {
	status := "Inactive"
	if active {
		status = "Active"
	}
	user, err := c.ownerOf(ctx, user, id)
	if err != nil {
		return err
	}
	return c.iam(ctx, "UpdateAccessKey", url.Values{"UserName": {user}, "AccessKeyId": {id}, "Status": {status}}, nil)
}

// DeleteKey deletes an access key. An empty user is whoever has the key.
func (c *Client) DeleteKey(ctx context.Context, user, id string) error {
	user, err := c.ownerOf(ctx, user, id)
	if err != nil {
		return err
	}
	return c.iam(ctx, "DeleteAccessKey", url.Values{"UserName": {user}, "AccessKeyId": {id}}, nil)
}

func (c *Client) ownerOf(ctx context.Context, user, id string) (string, error) {
	if user != "" {
		return user, nil
	}
	keys, err := c.Keys(ctx, "")
	if fault.Is(err, fault.Denied) {
		return "", fault.Wrap(fault.Denied, err, "whose key %s is cannot be found out", id).WithRemedy("say --user NAME")
	}
	if err != nil {
		return "", err
	}
	for _, k := range keys {
		if k.ID == id {
			return k.User, nil
		}
	}
	return "", fault.New(fault.NotFound, "there is no access key %s", id).WithRemedy("see: thingwire key list")
}
