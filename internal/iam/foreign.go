package iam

import (
	"sync"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// foreignRoots are the roots of other accounts that live in this process alone, by their access key ids.
type foreignRoots struct {
	mu   sync.RWMutex
	keys map[string]known
}

func (f *foreignRoots) get(accessKeyID string) (known, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	k, ok := f.keys[accessKeyID]
	return k, ok
}

// assumeOnly is all that the root of another account is here for.
const assumeOnly = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`

// ForeignRoot makes an access key for the root of another account, which roles of this account may trust: who calls from
// outside, such as a cloud that publishes to a customer's topic. The key may assume roles and nothing else. It is kept
// nowhere: each start makes another one. Errors are fault.Invalid for what is no other account.
func (d *Directory) ForeignRoot(account string) (accessKeyID string, secret Secret, err error) {
	if len(account) != 12 || account == d.cfg.Account {
		return "", "", fault.New(fault.Invalid, "%s is not the number of another account than %s", fault.Plain(account), d.cfg.Account).
			WithRemedy("use twelve other digits")
	}
	document, err := policy.Parse([]byte(assumeOnly), policy.IAM)
	if err != nil {
		return "", "", err
	}
	arn := "arn:" + d.cfg.Partition + ":iam::" + account + ":root"
	id := &Identity{
		AccessKeyID: newID(longTermPrefix), UserID: account, ARN: arn, Account: account, foreign: true,
		Policies: policy.Compile(policy.Source{Name: "foreign root", Document: document}),
		Vars: policy.Values{
			policy.Fold("aws:userid"):           {account},
			policy.Fold("aws:PrincipalArn"):     {arn},
			policy.Fold("aws:PrincipalAccount"): {account},
			policy.Fold("aws:PrincipalType"):    {"Account"},
		},
	}
	text := newSecret()
	d.foreign.mu.Lock()
	defer d.foreign.mu.Unlock()
	if d.foreign.keys == nil {
		d.foreign.keys = map[string]known{}
	}
	d.foreign.keys[id.AccessKeyID] = known{identity: id, secret: text}
	return id.AccessKeyID, Secret(text), nil
}
