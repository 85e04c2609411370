package control

import (
	"regexp"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

type keyMetadata struct {
	UserName    string
	AccessKeyID string `xml:"AccessKeyId"`
	Status      string
	CreateDate  time.Time
}

func keyOf(k iam.AccessKey) keyMetadata {
	status := "Inactive"
	if k.Active {
		status = "Active"
	}
	return keyMetadata{k.User, k.ID, status, k.Created.UTC()}
}

func createAccessKey(c *queryCall) (any, error) {
	key, secret, err := c.keys().CreateAccessKey(c.Context(), c.user)
	if err != nil {
		return nil, err
	}
	type accessKey struct {
		keyMetadata
		SecretAccessKey string
	}
	return struct{ AccessKey accessKey }{accessKey{keyOf(key), secret.Reveal()}}, nil
}

func listAccessKeys(c *queryCall) (any, error) {
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	keys, err := c.keys().ListAccessKeys(c.Context(), c.user)
	if err != nil {
		return nil, err
	}
	keys, next := cut(keys, page, func(k iam.AccessKey) string { return k.ID })
	out := struct {
		AccessKeyMetadata xmlList[keyMetadata]
		pageResult
	}{pageResult: c.pageResult(next)}
	for _, k := range keys {
		out.AccessKeyMetadata.Members = append(out.AccessKeyMetadata.Members, keyOf(k))
	}
	return out, nil
}

func updateAccessKey(c *queryCall) (any, error) {
	id, err := c.accessKeyID()
	if err != nil {
		return nil, err
	}
	status, given := c.form.optional("Status")
	switch {
	case !given:
		return nil, missing("Status")
	case status != "Active" && status != "Inactive":
		return nil, invalid("status is %q, Active and Inactive are allowed", fault.Shortened(status))
	}
	return nil, c.keys().SetAccessKeyActive(c.Context(), c.user, id, status == "Active")
}

func deleteAccessKey(c *queryCall) (any, error) {
	id, err := c.accessKeyID()
	if err != nil {
		return nil, err
	}
	return nil, c.keys().DeleteAccessKey(c.Context(), c.user, id)
}

// keyID is the pattern of IAM API reference, accessKeyIdType.
var keyID = regexp.MustCompile(`^\w{16,128}$`)

func (c *queryCall) accessKeyID() (string, error) {
	id, given := c.form.optional("AccessKeyId")
	switch {
	case !given:
		return "", missing("AccessKeyId")
	case !keyID.MatchString(id):
		return "", invalid("accessKeyId %q is no id of an access key: 16 to 128 letters and digits", fault.Shortened(id))
	}
	return id, nil
}
