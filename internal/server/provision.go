package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// The built-in policies that NewThing takes by name.
const (
	PolicyAllowEverything = "allow-everything"
	PolicyThingScoped     = "thing-scoped"
)

// NewThing is what Provision makes: a thing, a certificate and a policy, attached to each other.
type NewThing struct {
	Name   string
	Policy string // the name of a built-in policy; empty where Document is given
	// Document is the text of an IoT policy.
	Document string
}

// Provisioned is a thing that can connect. The private key is known to nobody else: it is not stored.
type Provisioned struct {
	ThingName      string `json:"thingName"`
	ThingARN       string `json:"thingArn"`
	CertificateARN string `json:"certificateArn"`
	CertificateID  string `json:"certificateId"`
	PolicyName     string `json:"policyName"`

	CertificatePEM, PrivateKeyPEM, RootPEM string `json:"-"`
}

// PolicyNameOf is the name of the policy that Provision makes for a thing. Names of policies may not hold the colon
// that names of things may; the dot that stands for it is no letter of a thing's name, so no two things meet.
func PolicyNameOf(thing string) string { return strings.ReplaceAll(thing, ":", ".") }

// Provision makes a thing that can connect, or nothing: what was half done is undone.
func (c *Client) Provision(ctx context.Context, want NewThing) (_ *Provisioned, err error) {
	p := &provisioning{client: c, made: Provisioned{ThingName: want.Name, PolicyName: PolicyNameOf(want.Name)}}
	defer func() {
		if err != nil {
			err = p.undo(ctx, err)
		}
	}()
	root, err := c.root()
	if err != nil {
		return nil, err
	}
	p.made.RootPEM = string(root)
	document := want.Document
	if document == "" {
		if document, err = c.builtin(ctx, want.Policy); err != nil {
			return nil, err
		}
	}
	for _, step := range []func(context.Context) error{
		p.absent,
		func(ctx context.Context) error { return p.policy(ctx, document) },
		p.thing,
		p.certificate,
		p.attach,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return &p.made, nil
}

// provisioning is one Provision under way; done is how to undo it, last step first.
type provisioning struct {
	client *Client
	made   Provisioned
	done   []Call
}

// undoTime bounds the undoing, which goes on when the caller was told to stop.
const undoTime = 10 * time.Second

func (p *provisioning) undo(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	errs := []error{cause}
	for _, call := range slices.Backward(p.done) {
		if err := p.client.Do(ctx, call); err != nil {
			errs = append(errs, fault.Wrap(fault.KindOf(err), err, "and what was half done could not be undone"))
		}
	}
	if len(errs) == 1 {
		return cause
	}
	return errors.Join(errs...)
}

// absent refuses a name that is taken. CreateThing would not: it is idempotent.
func (p *provisioning) absent(ctx context.Context) error {
	err := p.client.Do(ctx, Call{Method: http.MethodGet, Path: "/things/" + url.PathEscape(p.made.ThingName)})
	if err == nil {
		return fault.New(fault.Exists, "a thing named %s is there already", p.made.ThingName).
			WithRemedy("choose another name, or remove it with: thingwire thing delete %s", p.made.ThingName)
	}
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}

func (p *provisioning) thing(ctx context.Context) error {
	path := "/things/" + url.PathEscape(p.made.ThingName)
	var out struct {
		ThingARN string `json:"thingArn"`
	}
	if err := p.client.Do(ctx, Call{Method: http.MethodPost, Path: path, In: struct{}{}, Out: &out}); err != nil {
		return err
	}
	p.made.ThingARN = out.ThingARN
	p.done = append(p.done, Call{Method: http.MethodDelete, Path: path})
	return nil
}

// policy comes first of what is made: CreatePolicy has one winner, so of two that provision the same name at once one
// ends here, and does not undo what the other made.
func (p *provisioning) policy(ctx context.Context, document string) error {
	path := "/policies/" + url.PathEscape(p.made.PolicyName)
	in := map[string]string{"policyDocument": document}
	if err := p.client.Do(ctx, Call{Method: http.MethodPost, Path: path, In: in}); err != nil {
		return err
	}
	p.done = append(p.done, Call{Method: http.MethodDelete, Path: path})
	return nil
}

func (p *provisioning) certificate(ctx context.Context) error {
	var out struct {
		CertificateARN string `json:"certificateArn"`
		CertificateID  string `json:"certificateId"`
		CertificatePEM string `json:"certificatePem"`
		KeyPair        struct{ PrivateKey string }
	}
	if err := p.client.Do(ctx, Call{Method: http.MethodPost, Path: "/keys-and-certificate?setAsActive=true", Out: &out}); err != nil {
		return err
	}
	p.made.CertificateARN, p.made.CertificateID = out.CertificateARN, out.CertificateID
	p.made.CertificatePEM, p.made.PrivateKeyPEM = out.CertificatePEM, out.KeyPair.PrivateKey
	path := "/certificates/" + out.CertificateID
	p.done = append(p.done,
		Call{Method: http.MethodDelete, Path: path},
		Call{Method: http.MethodPut, Path: path + "?newStatus=INACTIVE"})
	return nil
}

func (p *provisioning) attach(ctx context.Context) error {
	policies, target := "/target-policies/"+url.PathEscape(p.made.PolicyName), map[string]string{"target": p.made.CertificateARN}
	if err := p.client.Do(ctx, Call{Method: http.MethodPut, Path: policies, In: target}); err != nil {
		return err
	}
	p.done = append(p.done, Call{Method: http.MethodPost, Path: policies, In: target})
	principals := "/things/" + url.PathEscape(p.made.ThingName) + "/principals"
	return p.client.Do(ctx, Call{Method: http.MethodPut, Path: principals, Principal: p.made.CertificateARN})
}

// builtin is the text of a built-in policy for the account and region of the server, which the private API knows.
func (c *Client) builtin(ctx context.Context, name string) (string, error) {
	var out struct{ Document string }
	if err := c.Do(ctx, Call{Method: http.MethodGet, Path: "/_thingwire/v1/policies/" + url.PathEscape(name), Out: &out}); err != nil {
		return "", err
	}
	return out.Document, nil
}
