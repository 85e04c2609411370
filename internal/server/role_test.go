package server

import (
	"encoding/xml"
	"net/http"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// assumed is what AssumeRole answers.
type assumed struct {
	Key    string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
	Secret string `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
	Token  string `xml:"AssumeRoleResult>Credentials>SessionToken"`
}

// The root of the Sigfox cloud's account assumes a role that trusts it with an external id, and the session publishes
// where the role may; who is refused finds the reason in the journal.
func TestSigfoxAccountAssumesARole(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	keys := s.rooms.guard.Keys()
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::` + DefaultSigfoxAccount +
		`:root"},"Condition":{"StringEquals":{"sts:ExternalId":"ours"}}}}`
	role, err := keys.CreateRole(t.Context(), iam.NewRole{Name: "cross", Trust: trust})
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.PutRolePolicy(t.Context(), "cross", "p", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:000000000000:topic/sigfox"}}`); err != nil {
		t.Fatal(err)
	}
	sigfox := s.rooms.sigfox
	by := sigv4.Signer{AccessKeyID: sigfox.AccessKeyID, Secret: sigfox.Secret.Reveal(), Region: "eu-west-1", Service: "sts"}
	form := "Action=AssumeRole&Version=2011-06-15&RoleSessionName=sigfox-1&RoleArn=" + role.ARN
	api := "https://" + s.Addr("api")
	if a := send(t, s, &by, "POST", api+"/", form+"&ExternalId=theirs"); a.status != http.StatusForbidden || !strings.Contains(a.body, "<Code>AccessDenied</Code>") {
		t.Errorf("the wrong external id: %+v", a)
	}
	entries := s.Journal().Query(journal.Query{Failures: true})
	if len(entries) != 1 || entries[0].PrincipalID != sigfox.AccessKeyID || !strings.Contains(entries[0].Remedy, "sts:ExternalId is another one") {
		t.Errorf("the journal says %+v", entries)
	}
	a := send(t, s, &by, "POST", api+"/", form+"&ExternalId=ours")
	var got assumed
	if err := xml.Unmarshal([]byte(a.body), &got); err != nil || got.Token == "" {
		t.Fatalf("%+v, %v", a, err)
	}
	session := sigv4.Signer{AccessKeyID: got.Key, Secret: got.Secret, Token: got.Token, Region: "us-east-1", Service: "iotdata"}
	for topic, status := range map[string]int{"sigfox": http.StatusOK, "other": http.StatusForbidden} {
		if a := send(t, s, &session, "POST", api+"/topics/"+topic, "{}"); a.status != status {
			t.Errorf("%s: %+v", topic, a)
		}
	}
	for service, path := range map[string]string{"iotdata": "/topics/sigfox", "iot": "/things", "iam": "/?Action=ListUsers&Version=2010-05-08"} {
		by.Service = service
		if a := send(t, s, &by, map[bool]string{true: "POST", false: "GET"}[service == "iotdata"], api+path, ""); a.status != http.StatusForbidden {
			t.Errorf("%s: %+v", service, a)
		}
	}
	if err := keys.DeleteRolePolicy(t.Context(), "cross", "p"); err != nil {
		t.Fatal(err)
	}
	if err := keys.DeleteRole(t.Context(), "cross"); err != nil {
		t.Fatal(err)
	}
	if a := send(t, s, &session, "POST", api+"/topics/sigfox", "{}"); a.status != http.StatusUnauthorized {
		t.Errorf("without its role: %+v", a)
	}
}

func TestSigfoxAccount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ account, sigfox, want string }{
		{"", "", DefaultSigfoxAccount},
		{DefaultSigfoxAccount, "", DefaultAccount},
		{"", "123456789012", "123456789012"},
		{"123456789012", "123456789012", ""},
		{"", "12345678901", ""},
	} {
		cfg := Default()
		cfg.InMemory, cfg.Account, cfg.SigfoxAccount = true, c.account, c.sigfox
		if err := cfg.Validate(); (c.want == "") != fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", c, err)
		}
		if got := cfg.sigfoxAccount(); c.want != "" && got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	cfg := Default()
	if err := parseConfig("f", []byte("sigfox_aws_account: 000000000012\n"), &cfg); err != nil || cfg.SigfoxAccount != "000000000012" {
		t.Errorf("%q, %v", cfg.SigfoxAccount, err)
	}
}
